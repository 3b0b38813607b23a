import { Command } from "commander";
import type { Session } from "../../protocol/api.ts";
import { clientFrom, commonFrom, withClientOptions, withCommonOptions } from "../common-options.ts";
import type { Runtime } from "../runtime.ts";
import { formatTable } from "../table.ts";

const examples = `
Examples:
  rdv sessions                    the same as rdv sessions ls
  rdv sessions ls --json          one JSON object a session
  rdv sessions rm my-desk         end a session by name or id`;

/** `rdv sessions`: list and end the owner's sessions. */
export function sessionsCommand(runtime: Runtime): Command {
  return new Command("sessions")
    .description("List or end your sessions.")
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .addHelpText("after", examples)
    .addCommand(listCommand(runtime), { isDefault: true })
    .addCommand(removeCommand(runtime));
}

function listCommand(runtime: Runtime): Command {
  return withCommonOptions(withClientOptions(new Command("ls")))
    .description("list your sessions")
    .action(async (options: unknown) => {
      const { output } = commonFrom(options, runtime);
      const sessions = await clientFrom(options, runtime).api.listSessions();
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

function removeCommand(runtime: Runtime): Command {
  return withCommonOptions(withClientOptions(new Command("rm")))
    .description("end sessions; their agents stop and their ports are freed")
    .argument("<session...>", "names or ids")
    .action(async (sessions: string[], options: unknown) => {
      const { output } = commonFrom(options, runtime);
      const { api } = clientFrom(options, runtime);
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
