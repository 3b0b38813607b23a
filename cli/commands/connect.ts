import { Command } from "commander";
import * as z from "zod";
import { RdvError } from "../../protocol/errors.ts";
import { commonFrom, withClientOptions, withCommonOptions } from "../common-options.ts";
import { connectLocal } from "../connect-local.ts";
import { connectStdio } from "../connect-stdio.ts";
import { withDirectOption } from "../direct-option.ts";
import { openClient } from "../open-client.ts";
import { withPumpOptions } from "../open-pump.ts";
import { withTransportOption } from "../outbound.ts";
import type { Runtime } from "../runtime.ts";
import { parseSessionAddress } from "../session-address.ts";
import { parseLocalAddress } from "../values.ts";

const examples = `
SESSION is a session's name or id. With #FINGERPRINT behind it, as \`rdv expose\` shows it, only the agent with that
key is spoken to; without it the key is remembered when it is first seen, and another one later is refused.

Examples:
  rdv connect my-desk --local 2222           then: ssh -p 2222 user@127.0.0.1
  rdv connect my-db                          a free local port, which is printed
  rdv connect my-desk --local 0.0.0.0:2222   for this network, too
  ssh -o ProxyCommand='rdv connect --stdio %h' user@my-desk
  rdv connect their-desk --plain             an agent that does not encrypt from end to end`;

const Options = z.object({
  local: z.object({ host: z.string(), port: z.number() }).optional(),
  stdio: z.boolean().default(false),
  plain: z.boolean().default(false),
});

/** `rdv connect`: the client's end of a session, public or private. */
export function connectCommand(runtime: Runtime): Command {
  return withCommonOptions(
    withClientOptions(
      withPumpOptions(
        withDirectOption(withTransportOption(new Command("connect")))
          .description("Reach a session's service, encrypted from end to end; also one without public port.")
          .argument("<session>", "name, id or NAME#FINGERPRINT")
          .option(
            "--local <[host:]port>",
            "listen here (default: 127.0.0.1 and any free port)",
            parseLocalAddress,
          )
          .option("--stdio", "one connection over standard input and output, as ssh's ProxyCommand wants it")
          .option("--plain", "no encryption from end to end; the agent must have --plain too"),
      ),
    ),
  )
    .addHelpText("after", examples)
    .action(async (session: string, options: unknown) => connect(session, options, runtime));
}

async function connect(sessionText: string, rawOptions: unknown, runtime: Runtime): Promise<void> {
  const address = parseSessionAddress(sessionText);
  const { stdio, local = { host: "127.0.0.1", port: 0 }, plain } = Options.parse(rawOptions);
  const { output, stateDir } = commonFrom(rawOptions, runtime);
  if (stdio && local.port !== 0) throw new RdvError("usage", "give --local or --stdio, not both");
  await using client = await openClient({
    address,
    plain,
    single: stdio,
    rawOptions,
    stateDir,
    output,
    runtime,
  });
  if (stdio) await connectStdio(client, runtime);
  else await connectLocal(client, { local, rawOptions, output, runtime });
}
