import { Command } from "commander";
import * as z from "zod";
import { RdvError } from "../../protocol/errors.ts";
import { clientFrom, commonFrom, withClientOptions, withCommonOptions } from "../common-options.ts";
import { withDirectOption } from "../direct-option.ts";
import { runProgram } from "../run-program.ts";
import type { Runtime } from "../runtime.ts";
import { parseSessionAddress } from "../session-address.ts";
import { selfCommand, sshArguments, sshConfig } from "../ssh-client.ts";
import type { SshWay } from "../ssh-client.ts";

const examples = `
Options of rdv stand before SESSION; everything behind it is ssh's own. SESSION is a name, an id, or
NAME#FINGERPRINT, with USER@ before it if need be.

Examples:
  rdv ssh my-desk
  rdv ssh anna@my-desk -L 8080:localhost:80 uptime
  rdv ssh --config my-desk >>~/.ssh/config   from then on: ssh my-desk, scp, rsync, git clone my-desk:repo
  rdv ssh --config                           a block for each of your sessions`;

const Options = z.object({
  config: z.boolean().default(false),
  plain: z.boolean().default(false),
  direct: z.string().optional(),
  control: z.string().optional(),
  token: z.string().optional(),
  stateDir: z.string().optional(),
});
type Options = z.infer<typeof Options>;

/** `rdv ssh`: the system's own ssh, over a session's connection. */
export function sshCommand(runtime: Runtime): Command {
  return withCommonOptions(
    withClientOptions(
      withDirectOption(new Command("ssh"))
        .description("Run ssh to a session's machine, encrypted from end to end.")
        .argument("[session]", "[USER@]SESSION")
        .argument("[args...]", "for ssh: options, and the command to run there")
        .option("--config", "print a block for ~/.ssh/config instead")
        .option("--plain", "only ssh's own encryption; the agent must have --plain too")
        .passThroughOptions(),
    ),
  )
    .addHelpText("after", examples)
    .action(
      async (session: string | undefined, args: string[], options: unknown) =>
        await ssh(session, args, options, runtime),
    );
}

async function ssh(
  destination: string | undefined,
  args: readonly string[],
  rawOptions: unknown,
  runtime: Runtime,
): Promise<void> {
  const options = Options.parse(rawOptions);
  if (options.config) return await printConfig(destination, options, rawOptions, runtime);
  if (destination === undefined)
    throw new RdvError("usage", "which session? rdv ssh SESSION; rdv sessions ls lists yours");
  const { user, way } = readDestination(destination, options);
  const code = await runProgram("ssh", sshArguments(way, user, args), {
    stdio: "inherit",
    // Not among the arguments, where every user of this machine could read it.
    env: { ...runtime.env, ...(options.token === undefined ? {} : { RDV_TOKEN: options.token }) },
    signal: runtime.signal,
  });
  runtime.exitWith(code);
}

async function printConfig(
  destination: string | undefined,
  options: Options,
  rawOptions: unknown,
  runtime: Runtime,
): Promise<void> {
  const { output } = commonFrom(rawOptions, runtime);
  const names = destination === undefined ? await ownSessions(rawOptions, runtime) : [destination];
  const blocks = names.map((name) => sshConfig(readDestination(name, options).way));
  for (const block of blocks) output.event({ event: "config", block: block.join("\n") }, block);
}

async function ownSessions(rawOptions: unknown, runtime: Runtime): Promise<string[]> {
  const sessions = await clientFrom(rawOptions, runtime, runtime.signal).api.listSessions();
  return sessions.map(({ name }) => name);
}

function readDestination(text: string, options: Options): { user: string | undefined; way: SshWay } {
  const at = text.lastIndexOf("@");
  const address = text.slice(at + 1);
  const { session } = parseSessionAddress(address);
  const { control, stateDir, plain, direct } = options;
  const given = [
    ...(control === undefined ? [] : [`--control=${control}`]),
    ...(stateDir === undefined ? [] : [`--state-dir=${oneLine(stateDir)}`]),
    ...(plain ? ["--plain"] : []),
    ...(direct === undefined || direct === "auto" ? [] : ["--direct", direct]),
  ];
  return {
    user: at < 0 ? undefined : parseUser(text.slice(0, at)),
    way: { self: selfCommand(), options: given, address, session },
  };
}

/** A login as ssh takes it; one that begins with a hyphen would be an option, and shells read the others' characters. */
function parseUser(text: string): string {
  if (/^[\p{L}\p{N}_.][\p{L}\p{N}_.@\\+-]{0,127}$/u.test(text)) return text;
  throw new RdvError("usage", `${JSON.stringify(text)} is no login: write USER@SESSION`);
}

/** A block for ssh_config(5) has no way to write a line's end. */
function oneLine(path: string): string {
  if (!/[\r\n\0]/.test(path)) return path;
  throw new RdvError("usage", "the state directory's name has a line break in it, which ssh cannot take");
}
