import { Command } from "commander";
import * as z from "zod";
import { parseTarget } from "../../agent/target.ts";
import { commonFrom, withClientOptions, withCommonOptions } from "../common-options.ts";
import { createExaminer } from "../doctor/examiner.ts";
import { examine } from "../doctor/examine.ts";
import type { Finding, Status } from "../doctor/finding.ts";
import type { Runtime } from "../runtime.ts";

const examples = `
It changes nothing, sends nothing to your services, and leaves nothing behind. Without a token it makes the checks that
need none. Exit code 0: nothing keeps rdv from working; 1: something does, and the line below it says what to do.

Examples:
  rdv doctor                                 the control plane, its relays, this machine
  rdv doctor --target ssh                    also a service that is to be exposed
  rdv doctor --control https://rdv.example.org
                                             another control plane than the one that is kept
  rdv doctor --json | grep '"fail"'          for scripts: one object a check, then {"event":"done",…}`;

const Options = z.object({
  control: z.string().optional(),
  token: z.string().optional(),
  target: z.string().optional(),
});

/** `rdv doctor`: looks for what keeps rdv from working here, and says what to do about it. */
export function doctorCommand(runtime: Runtime): Command {
  return withCommonOptions(withClientOptions(new Command("doctor")))
    .description("Find out what keeps rdv from working here, and what to do about it.")
    .option(
      "--target <target>",
      "a service that is to be exposed: a port, host:port or a name, as for expose",
    )
    .addHelpText("after", examples)
    .action(async (options: unknown) => doctor(options, runtime));
}

async function doctor(rawOptions: unknown, runtime: Runtime): Promise<void> {
  const { output, stateDir } = commonFrom(rawOptions, runtime);
  const { target, ...given } = Options.parse(rawOptions);
  const parsed = target === undefined ? undefined : parseTarget(target);
  const counts: Record<Status, number> = { ok: 0, warn: 0, fail: 0, skip: 0 };
  const examiner = createExaminer({
    signal: runtime.signal,
    onSlow: (name) => output.note(`still looking: ${name} …`),
    report: (finding) => {
      counts[finding.status] += 1;
      output.event({ event: "check", ...finding }, format(finding));
    },
  });
  const { env, proxies } = runtime;
  await examine({ given, env, stateDir, target: parsed, proxies, examiner });
  output.event({ event: "done", command: "doctor", ...counts }, summary(counts));
  if (counts.fail > 0) runtime.exitWith(1);
}

function format({ status, name, detail, advice }: Finding): string[] {
  const line = `${status.padEnd(4)}  ${name.padEnd(nameWidth)}  ${detail}`;
  return advice === undefined ? [line] : [line, `${" ".repeat(nameWidth + 8)}→ ${advice}`];
}

const nameWidth = "relay-websocket".length;

function summary({ ok, warn, fail, skip }: Readonly<Record<Status, number>>): string {
  const rest = skip === 0 ? "" : `, ${skip} left out`;
  if (fail > 0) return `${fail} of ${ok + warn + fail} checks failed${rest}`;
  return warn > 0 ? `nothing failed, ${warn} warning${warn === 1 ? "" : "s"}${rest}` : `all is well${rest}`;
}
