import { Command } from "commander";
import { printable } from "../protocol/printable.ts";
import { version } from "../protocol/version.ts";
import { bridgeCommand } from "./commands/bridge.ts";
import { connectCommand } from "./commands/connect.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { exposeCommand } from "./commands/expose.ts";
import { inviteCommand } from "./commands/invite.ts";
import { joinCommand } from "./commands/join.ts";
import { keysCommand } from "./commands/keys.ts";
import { loginCommand } from "./commands/login.ts";
import { relayCommand } from "./commands/relay.ts";
import { relaysCommand } from "./commands/relays.ts";
import { sessionsCommand } from "./commands/sessions.ts";
import { sshCommand } from "./commands/ssh.ts";
import { upCommand } from "./commands/up.ts";
import type { Runtime } from "./runtime.ts";

const examples = `
Examples:
  rdv up                          start a control plane and a relay on this machine
  rdv expose 22                   make this machine's ssh reachable through them
  rdv ssh my-desk                 reach it from elsewhere, encrypted from end to end
  rdv invite ssh                  reach somebody who has nothing installed: they paste one line
  rdv sessions ls                 show what is exposed
  rdv doctor                      find out what keeps rdv from working here
  rdv bridge tcp-listen:1234 tcp-listen:5678
                                  the bare primitive: join whoever connects to the two ports

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.`;

/** The whole command line of rdv. Wrong usage throws a CommanderError after one line on stderr. */
export function createProgram(runtime: Runtime): Command {
  const program = configure(new Command("rdv"), runtime)
    .description("Make a service behind NAT reachable through two half-tunnels that meet at a relay.")
    .version(version, "-V, --version", "show the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .enablePositionalOptions()
    .usage("COMMAND [options]")
    .addHelpText("after", examples);
  for (const command of [
    upCommand,
    exposeCommand,
    inviteCommand,
    joinCommand,
    connectCommand,
    sshCommand,
    bridgeCommand,
    relayCommand,
    relaysCommand,
    sessionsCommand,
    keysCommand,
    loginCommand,
    doctorCommand,
  ])
    program.addCommand(configureAll(command(runtime), runtime));
  return program;
}

function configureAll(command: Command, runtime: Runtime): Command {
  for (const child of command.commands) configureAll(child, runtime);
  return configure(command, runtime);
}

function configure(command: Command, runtime: Runtime): Command {
  return command.exitOverride().configureOutput({
    writeOut: runtime.stdout,
    writeErr: runtime.stderr,
    outputError: (text, write) => write(oneLine(text, command)),
  });
}

/** Commander's message, and where to read on, in one line. */
function oneLine(text: string, command: Command): string {
  const message = text
    .trim()
    .replace(/^error: /, "")
    .replaceAll(/\s*\n\s*/g, " ");
  return `${printable(`rdv: ${message} (see \`${fullName(command)} --help\`)`)}\n`;
}

function fullName(command: Command): string {
  return command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name();
}
