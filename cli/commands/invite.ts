import { hostname, userInfo } from "node:os";
import { Command } from "commander";
import * as z from "zod";
import { parseTarget } from "../../agent/target.ts";
import { loadIdentity } from "../../net/tls/load-identity.ts";
import { RdvError } from "../../protocol/errors.ts";
import type { CreateInvitation } from "../../protocol/invitations.ts";
import { limits } from "../../protocol/limits.ts";
import { clientFrom, commonFrom, withClientOptions, withCommonOptions } from "../common-options.ts";
import { identityPath } from "../open-client.ts";
import { runInvitation } from "../run-invitation.ts";
import type { Runtime } from "../runtime.ts";
import { collectCidr, parseCidr, parseDuration, parseName, parseRegion } from "../values.ts";

const examples = `
TARGET is a port of the other person's machine, host:port as seen from there, or a known name (ssh, vnc, rdp …).

Examples:
  rdv invite ssh                             prints one line; whoever pastes it lets you in
  rdv invite vnc --ttl 30m --qr              half an hour, and a QR code for their camera
  rdv invite ssh --private                   they run rdv, too: no public port, encrypted from end to end
  rdv invite ssh -- ssh -p {port} anna@{host}
                                             connects as soon as they have agreed, and ends with that`;

const Options = z.object({
  ttl: z.number().default(limits.invitationDefaultSeconds),
  allow: z.array(z.string()).optional(),
  name: z.string().optional(),
  region: z.string().optional(),
  as: z.string().min(1).max(80).optional(),
  qr: z.boolean().optional(),
  private: z.boolean().default(false),
  raw: z.boolean().default(false),
  rawFrom: z.string().optional(),
  insecure: z.boolean().default(false),
});
type Options = z.infer<typeof Options>;

/** `rdv invite`: reach a service on the machine of somebody who pastes one line and installs nothing. */
export function inviteCommand(runtime: Runtime): Command {
  return withCommonOptions(
    withClientOptions(
      new Command("invite")
        .description("Invite somebody: they paste one line, and you reach one service of their machine.")
        .argument("<target>", "what to reach, as seen from their machine")
        .argument("[command...]", "behind --: run when they are there, with {host} and {port} filled in")
        .option("--ttl <duration>", "end after this time, at most 24h (default: 1h)", parseDuration)
        .option("--allow <cidr>", "addresses that may connect; repeatable (default: yours)", collectCidr)
        .option("--name <name>", "the session's name", parseName)
        .option("--region <region>", "region of the relay", parseRegion)
        .option("--as <name>", "who asks, as they will read it (default: user@host)")
        .option("--private", "no public port: they join with rdv, and you come with rdv connect or rdv ssh")
        .option(
          "--raw",
          "also open a port on which whoever connects is the other machine; for ssh and TLS alone",
        )
        .option("--raw-from <cidr>", "who may do so (default: the address that comes first)", parseCidr)
        .option("--insecure", "invite by plain http, which lets whoever is on the way run anything there")
        .option("--qr", "show the address as a QR code, too (default: on a terminal)")
        .option("--no-qr", "no QR code"),
    ),
  )
    .addHelpText("after", examples)
    .action(
      async (target: string, command: string[], options: unknown) =>
        await invite(target, command, options, runtime),
    );
}

async function invite(
  targetText: string,
  command: readonly string[],
  rawOptions: unknown,
  runtime: Runtime,
): Promise<void> {
  const target = parseTarget(targetText);
  const { output, stateDir } = commonFrom(rawOptions, runtime);
  const { api } = clientFrom(rawOptions, runtime);
  const options = Options.parse(rawOptions);
  if (options.private && command.length > 0)
    throw new RdvError("usage", "--private has no host and port for a command: leave out one of the two");
  const request: CreateInvitation = {
    target: target.label,
    inviter: options.as ?? `${userInfo().username}@${hostname()}`.slice(0, 80),
    ttlSeconds: options.ttl,
    ...(target.service === undefined ? {} : { service: target.service }),
    ...(options.allow === undefined ? {} : { allow: options.allow }),
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(options.private ? { private: true } : {}),
    ...(options.raw || options.rawFrom !== undefined ? { raw: { from: options.rawFrom ?? null } } : {}),
  };
  await runInvitation({
    api,
    target,
    request,
    command,
    inviterKey: options.private ? loadIdentity(identityPath(stateDir)).fingerprint : undefined,
    qr: options.qr ?? runtime.isTerminal,
    insecure: options.insecure,
    output,
    runtime,
  });
}
