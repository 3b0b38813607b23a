import { hostname, userInfo } from "node:os";
import { Command, Option } from "commander";
import * as z from "zod";
import { serveInvited } from "../../agent/invited.ts";
import type { InvitedEvent } from "../../agent/invited.ts";
import { pinTarget, pinnedLabel } from "../../agent/pinned-target.ts";
import type { PinnedTarget } from "../../agent/pinned-target.ts";
import { parseTarget } from "../../agent/target.ts";
import type { Target } from "../../agent/target.ts";
import { createIdentity } from "../../net/tls/certificate.ts";
import type { Identity } from "../../net/tls/certificate.ts";
import { loadIdentity } from "../../net/tls/load-identity.ts";
import { Fingerprint } from "../../protocol/api.ts";
import { RdvError } from "../../protocol/errors.ts";
import { readCode } from "../../protocol/invitations.ts";
import type { InvitationDetails } from "../../protocol/invitations.ts";
import { apiAt, commonFrom, withCommonOptions } from "../common-options.ts";
import { readCredentials } from "../credentials.ts";
import { scanHostKey } from "../host-key.ts";
import { machineId } from "../machine-id.ts";
import { openPump, withPumpOptions } from "../open-pump.ts";
import { outboundFrom, withTransportOption } from "../outbound.ts";
import { identityPath } from "../open-client.ts";
import type { Output } from "../output.ts";
import { pairNote } from "../pair-note.ts";
import type { Runtime } from "../runtime.ts";
import { needsServer, shareScreen } from "../share-screen.ts";
import { parseUrl } from "../values.ts";

const examples = `
Examples:
  rdv join https://rdv.example.org/j/K7Q2X-9FMTR
  rdv join K7Q2X-9FMTR --control https://rdv.example.org
  rdv join K7Q2X-9FMTR --target 192.168.1.20:5900
                                  another service than the invitation names: you decide
  rdv join K7Q2X-9FMTR --with-server
                                  share this screen, when no VNC server runs here`;

/** What machines have for themselves, credentials among it: nobody gives it away without a word of their own. */
const delicateKinds = ["link-local", "metadata"] as const;

const Options = z.object({
  control: z.string().optional(),
  yes: z.boolean().default(false),
  target: z.string().optional(),
  allowTargetKind: z.enum(delicateKinds).array().optional(),
  withServer: z.boolean().default(false),
});

/** `rdv join`: the invited person's side. It needs no account. */
export function joinCommand(runtime: Runtime): Command {
  return withCommonOptions(
    withPumpOptions(
      withTransportOption(new Command("join"))
        .description("Let the person who invited you reach one service of this machine, for a while.")
        .argument("<code>", "the invitation's code or address")
        .option("--control <url>", "the control plane, for a bare code (env RDV_CONTROL)", parseUrl)
        .option("--target <target>", "what they may reach, instead of what the invitation names")
        .addOption(
          new Option(
            "--allow-target-kind <kind...>",
            "agree to a link-local target, or to a cloud's metadata, without being asked for a second word",
          ).choices([...delicateKinds]),
        )
        .option(
          "--with-server",
          "for vnc: share this screen by x11vnc, with a password of its own, until the end",
        )
        .option("-y, --yes", "agree without being asked"),
    ),
  )
    .addHelpText("after", examples)
    .action(async (text: string, options: unknown) => join(text, options, runtime));
}

async function join(text: string, rawOptions: unknown, runtime: Runtime): Promise<void> {
  const { output, stateDir } = commonFrom(rawOptions, runtime);
  const options = Options.parse(rawOptions);
  const { control, code, inviterKey } = readInvitation(
    text,
    () => options.control ?? runtime.env["RDV_CONTROL"] ?? readCredentials(stateDir)?.control,
  );
  const api = apiAt({ url: control, signal: runtime.signal }, runtime);
  const details = await api.getInvitation(code);
  const target = await pinTarget(parseTarget(options.target ?? details.target));
  const sharesScreen = await needsServer(options.withServer, details.service, target, runtime, output);
  showRequest(details, target, withWhat(details, inviterKey, sharesScreen), output);
  if (!options.yes) await askConsent(runtime);
  if (options.allowTargetKind?.some((kind) => kind === target.kind) !== true)
    await askAboutKind(target, runtime, output);
  await using _screen = sharesScreen ? await shareScreen(target, runtime, output) : undefined;
  await using pump = await openPump(rawOptions, output.log);
  const isSsh = details.service === "ssh" || target.service === "ssh";
  const hostkey = isSsh ? await scanHostKey(target.addresses, target.port, runtime.signal) : "";
  const identity = ownIdentity(stateDir, output);
  const admission = await api.claimInvitation(code, {
    machine: machineId(`${control}/j/${code}`),
    host: labelled(hostname()),
    user: labelled(userInfo().username),
    method: "rdv",
    hostkey,
    fingerprint: identity.fingerprint,
  });
  const end = await serveInvited({
    admission,
    session: details.session,
    target,
    identity,
    onlyTicketed: details.private || inviterKey !== undefined,
    clients: inviterKey === undefined ? undefined : [inviterKey],
    pump,
    log: output.log,
    signal: runtime.signal,
    outbound: outboundFrom(rawOptions, runtime),
    onEvent: (event) => report(event, details, target, identity.fingerprint, output),
  });
  output.event({ event: "ended", session: details.session, reason: end });
  output.note(endings[end]);
}

const endings = {
  ended: "the invitation is over; nothing can be reached any more",
  replaced: "another run on this machine has taken over; nothing can be reached through this one any more",
  aborted: "stopped; nothing can be reached any more",
};

interface ReadInvitation {
  readonly control: string;
  readonly code: string;
  /** Of the only key that is let in; the control plane never sees it. */
  readonly inviterKey: string | undefined;
}

/** The control plane, the code and the inviter's key, from `ORIGIN/j/CODE#FINGERPRINT`, or a bare code. */
function readInvitation(whole: string, known: () => string | undefined): ReadInvitation {
  const [text = "", inviterKey] = whole.split("#");
  if (inviterKey !== undefined && !Fingerprint.safeParse(inviterKey).success)
    throw new RdvError("usage", "what stands behind # is no key: copy the whole line that you were sent");
  const parts = /^(?<control>https?:\/\/.+)\/j\/(?<code>[^/?#]+)/.exec(text)?.groups;
  const code = readCode(parts?.["code"] ?? text);
  if (code === undefined)
    throw new RdvError(
      "usage",
      `"${text}" is not an invitation: write K7Q2X-9FMTR or https://HOST/j/K7Q2X-9FMTR`,
    );
  const control = parts?.["control"] ?? known()?.replace(/\/+$/, "");
  if (control) return { control, code, inviterKey };
  throw new RdvError(
    "usage",
    "a code alone does not say where it is from: give the whole address, or --control URL",
  );
}

/** What the invited person reads of the way. */
function withWhat(details: InvitationDetails, inviterKey: string | undefined, sharesScreen: boolean): string {
  return [
    details.private ? "rdv, encrypted from end to end" : "rdv",
    ...(inviterKey === undefined ? [] : ["nobody gets in without the inviter's key, which the line names"]),
    ...(sharesScreen ? ["x11vnc shows them this screen, and takes their mouse and keys"] : []),
  ].join("; ");
}

function showRequest(details: InvitationDetails, target: PinnedTarget, means: string, { say }: Output): void {
  const until = new Date(details.expires).toLocaleString();
  say([
    "",
    `  ${details.inviter} asks to reach a service of this machine:`,
    "",
    `    what   ${pinnedLabel(target)}`,
    `    from   ${details.address} (session ${details.session})`,
    `    until  ${until}`,
    `    with   ${means}`,
    "",
    "  Nothing can be reached before you agree, and Ctrl-C ends it at any moment.",
    "",
  ]);
}

async function askConsent({ ask, signal }: Runtime): Promise<void> {
  const answer = await ask("  Allow it? [y/N] ");
  signal.throwIfAborted();
  if (answer === undefined)
    throw new RdvError("forbidden", "no terminal to ask on; to agree without being asked, add --yes");
  if (!/^\s*(y|yes|o|oui)\s*$/i.test(answer))
    throw new RdvError("forbidden", "not allowed; nothing was opened");
}

/** `--yes` was said before anybody knew what is asked for. */
async function askAboutKind(
  { kind }: PinnedTarget,
  { ask, signal }: Runtime,
  { say }: Output,
): Promise<void> {
  if (kind === "plain") return;
  const what =
    kind === "metadata" ? "the service where a cloud's machine finds its credentials" : "link-local";
  say([
    `  This address is ${what}: who reaches it may be able to act as this machine. Few people need that.`,
  ]);
  const answer = await ask("  If you know that it is right, write yes in full: ");
  signal.throwIfAborted();
  if (answer?.trim().toLowerCase() === "yes") return;
  throw new RdvError(
    "forbidden",
    `not allowed: the target is ${kind}; nothing was opened (--allow-target-kind ${kind} says yes beforehand)`,
  );
}

/** On somebody's machine there may be no place for a key: then one for this run has to do. */
function ownIdentity(stateDir: string, { log }: Output): Identity {
  try {
    return loadIdentity(identityPath(stateDir));
  } catch (error) {
    log.warn("this machine's key cannot be kept; a new one is used", { error: String(error) });
    return createIdentity();
  }
}

function report(
  event: InvitedEvent,
  details: InvitationDetails,
  target: Target,
  agentKey: string,
  output: Output,
): void {
  const { type, ...fields } = event;
  if (event.type === "ready") {
    const { session, address } = details;
    output.event({ event: "ready", command: "join", session, address, agentKey });
    output.note(`ready: ${address} leads to ${target.label}; Ctrl-C ends it`);
    return output.note(`this machine's key, for them to compare: ${agentKey}`);
  }
  output.event({ event: type, ...fields });
  output.note(pairNote(event));
}

/** What the control plane takes as a host's or a user's name. */
function labelled(name: string): string {
  return name.replace(/[^\w.@-]/g, "").slice(0, 120);
}
