import { Command } from "commander";
import * as z from "zod";
import { UpdateSession } from "../../protocol/api.ts";
import type { Session } from "../../protocol/api.ts";
import { RdvError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { clientFrom, commonFrom, withClientOptions, withCommonOptions } from "../common-options.ts";
import type { Runtime } from "../runtime.ts";
import { describeSession } from "../describe-session.ts";
import { formatTable } from "../table.ts";
import { collectAllowed, orNone, parseBytes, parseCount, parseDuration } from "../values.ts";

const examples = `
Examples:
  rdv sessions                    the same as rdv sessions ls
  rdv sessions ls --json          one JSON object a session
  rdv sessions show my-desk       everything about one session
  rdv sessions set my-desk --allow 203.0.113.0/24 --ttl 2h
                                  change who may connect and for how long, while it is used
  rdv sessions set my-desk --allow all --bytes none
                                  let everybody in again, without a byte budget
  rdv sessions rm my-desk         end a session by name or id`;

/** `rdv sessions`: list and end the owner's sessions. */
export function sessionsCommand(runtime: Runtime): Command {
  return new Command("sessions")
    .description("List, show, change or end your sessions.")
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .addHelpText("after", examples)
    .addCommand(listCommand(runtime), { isDefault: true })
    .addCommand(showCommand(runtime))
    .addCommand(setCommand(runtime))
    .addCommand(removeCommand(runtime));
}

function listCommand(runtime: Runtime): Command {
  return withCommonOptions(withClientOptions(new Command("ls")))
    .description("list your sessions")
    .action(async (options: unknown) => {
      const { output } = commonFrom(options, runtime);
      const sessions = await clientFrom(options, runtime, runtime.signal).api.listSessions();
      for (const session of sessions) output.event({ event: "session", ...session });
      if (output.json) return;
      if (sessions.length === 0) output.note("no sessions; `rdv expose 22` makes one");
      else
        output.event(
          {},
          formatTable(["NAME", "ADDRESS", "STATE", "TARGET", "SINCE", "ID"], sessions.map(row)),
        );
    });
}

function showCommand(runtime: Runtime): Command {
  return withCommonOptions(withClientOptions(new Command("show")))
    .description("show one session: where it is, and who may use it")
    .argument("<session>", "name or id")
    .action(async (session: string, options: unknown) => {
      const { output } = commonFrom(options, runtime);
      const found = await clientFrom(options, runtime, runtime.signal).api.getSession(session);
      output.event({ event: "session", ...found }, describeSession(found));
    });
}

const Limit = z
  .literal("none")
  .transform(() => null)
  .or(z.number())
  .optional();
const SetOptions = z.object({
  allow: z.array(z.string()).optional(),
  ttl: Limit,
  pairs: z.number().optional(),
  connectsPerSecond: Limit,
  bytes: Limit,
});

function setCommand(runtime: Runtime): Command {
  return withCommonOptions(withClientOptions(new Command("set")))
    .description("change who may use a session and how much; what is open obeys at once")
    .argument("<session>", "name or id")
    .option("--allow <cidr>", "addresses that may connect from now on; repeatable, or `all`", collectAllowed)
    .option("--ttl <duration>", "end this long from now, such as 2h, or `none`", orNone(parseDuration))
    .option("--pairs <n>", "connections at once", parseCount(1, limits.pairsPerSession))
    .option("--connects-per-second <n>", "new connections a second, or `none`", orNone(parseCount(1, 1_000)))
    .option("--bytes <n>", "end after so many bytes of both directions, or `none`", orNone(parseBytes))
    .action(async (session: string, rawOptions: unknown) => {
      const { output } = commonFrom(rawOptions, runtime);
      const { ttl, ...policy } = SetOptions.parse(rawOptions);
      const request = UpdateSession.parse({ ...policy, ...(ttl === undefined ? {} : { ttlSeconds: ttl }) });
      if (Object.keys(request).length === 0)
        throw new RdvError(
          "usage",
          "nothing to change: give --allow, --ttl, --pairs, --connects-per-second or --bytes",
        );
      const changed = await clientFrom(rawOptions, runtime, runtime.signal).api.updateSession(
        session,
        request,
      );
      output.event({ event: "session", ...changed }, describeSession(changed));
    });
}

function removeCommand(runtime: Runtime): Command {
  return withCommonOptions(withClientOptions(new Command("rm")))
    .description("end sessions; their agents stop and their ports are freed")
    .argument("<session...>", "names or ids")
    .action(async (sessions: string[], options: unknown) => {
      const { output } = commonFrom(options, runtime);
      const { api } = clientFrom(options, runtime, runtime.signal);
      for (const session of sessions) {
        await api.endSession(session);
        output.event({ event: "removed", session }, `ended ${session}`);
      }
    });
}

function row(session: Session): string[] {
  return [
    session.name,
    session.address,
    session.state,
    session.target,
    session.createdAt.replace(/\.\d+Z$/, "Z"),
    session.id,
  ];
}
