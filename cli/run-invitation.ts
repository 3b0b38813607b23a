import { userInfo } from "node:os";
import type { Target } from "../agent/target.ts";
import type { createApi } from "../protocol/client.ts";
import { RdvError } from "../protocol/errors.ts";
import type { CreateInvitation, CreatedInvitation, Joined } from "../protocol/invitations.ts";
import { fingerprint, knownHostsLine } from "./host-key.ts";
import { nextLine, privateLine, splitAddress } from "./next-line.ts";
import type { Output } from "./output.ts";
import { formatQr } from "./qr.ts";
import { refusePlainLine } from "./plain-http.ts";
import { runGuestCommand } from "./guest-command.ts";
import type { Runtime } from "./runtime.ts";
import { watchInvitation } from "./watch-invitation.ts";

interface Run {
  readonly api: ReturnType<typeof createApi>;
  readonly target: Target;
  readonly request: CreateInvitation;
  /** Run when the invited machine is there; empty: the inviter connects by hand. */
  readonly command: readonly string[];
  readonly qr: boolean;
  /** The line to paste may be plain HTTP beyond this machine. */
  readonly insecure?: boolean;
  /** Nobody is asked to paste anything: what dials the raw port is the agent. */
  readonly rawOnly?: boolean;
  /** Of a private invitation: the fingerprint of the inviter's key, the only one that is let in there. */
  readonly inviterKey?: string | undefined;
  readonly output: Output;
  readonly runtime: Runtime;
}

/** Invites, tells what happens until it is over, and ends the invitation whatever happens. */
export async function runInvitation(run: Run): Promise<void> {
  const { api, output, runtime } = run;
  const invited = withKey(await api.createInvitation(run.request), run.inviterKey);
  const over = new AbortController();
  try {
    if (run.insecure !== true && run.rawOnly !== true) refusePlainLine(invited.url);
    announce(run, invited);
    const reason = await follow(run, invited, AbortSignal.any([runtime.signal, over.signal]));
    if (reason === undefined) return;
    output.event({ event: "ended", session: invited.session.id, reason });
    throw new RdvError("ended", `the invitation is over: ${reason}`);
  } finally {
    over.abort();
    await api.endSession(invited.session.id).catch((error: unknown) => {
      if (!(error instanceof RdvError)) throw error;
      const gone = error.code === "not_found" || error.code === "ended";
      if (!gone) output.log.warn("the invitation could not be ended", { error: error.message });
    });
    if (runtime.signal.aborted) output.note("the invitation is over, and every connection is cut");
  }
}

/** A fragment stays on the machines of the two people: nothing sends it to a server (RFC 3986 section 3.5). */
function withKey(invited: CreatedInvitation, key: string | undefined): CreatedInvitation {
  if (key === undefined) return invited;
  const url = `${invited.url}#${key}`;
  const keyed = (text: string): string => text.replace(invited.url, url);
  return { ...invited, url, line: keyed(invited.line), powershell: keyed(invited.powershell) };
}

function announce(run: Run, invited: CreatedInvitation): void {
  const { output, request, rawOnly = false } = run;
  const { code, url, line, powershell, expires, session, raw } = invited;
  const { id, name, address, policy } = session;
  output.note(
    rawOnly
      ? "Run this beside the service, once for each client; a program that can dial out by itself needs no socat:"
      : "Send this line to the person whose machine you want to reach; nothing happens until they agree:",
  );
  output.note("");
  output.event(
    {
      event: "invited",
      code,
      url,
      line,
      powershell,
      expires,
      session: id,
      name,
      address,
      allow: policy.allow,
      ...(raw === null ? {} : { raw, rawLine: rawLine(raw, request.target) }),
    },
    rawOnly && raw !== null ? rawLine(raw, request.target) : line,
  );
  output.note("");
  if (!rawOnly) showOtherWays(run, invited);
  if (raw !== null) warnOfRaw(raw, request, output);
  const until = new Date(expires).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  output.note(
    `It lets ${policy.allow.join(", ") || "everybody"} connect to ${request.target} there, until ${until}.`,
  );
  output.note("Waiting for them; Ctrl-C ends the invitation.");
}

function showOtherWays(
  { output, qr, request, runtime }: Run,
  { url, powershell, raw }: CreatedInvitation,
): void {
  if (request.private !== true) output.note(`  on Windows    ${powershell}`);
  output.note(`  in a browser  ${url}`);
  if (raw !== null) output.note(`  with socat    ${rawLine(raw, request.target)}`);
  if (qr) output.picture(`${formatQr(url, { color: !runtime.env["NO_COLOR"] })}\n`);
}

/** What the other side runs instead of the line, again for each client. */
function rawLine(raw: string, target: string): string {
  return `socat TCP:${raw} TCP:${target}`;
}

function warnOfRaw(raw: string, request: CreateInvitation, output: Output): void {
  const who = request.raw?.from ?? "whoever comes first";
  output.log.warn(
    `${raw} is open without any check: ${who} can pass for the machine you expect, so use it for services that ` +
      "prove who they are, such as ssh with a known host key or TLS",
  );
}

/** Resolves when it is over: with the reason, or undefined when the inviter is done. */
async function follow(
  run: Run,
  invited: CreatedInvitation,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { api, output, target, command, runtime } = run;
  const { id: session, name, address } = invited.session;
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  let user = userInfo().username;
  let agentKey: string | undefined;
  let there: boolean | undefined;

  function onPresence(present: boolean): void {
    if (present === there) return;
    const first = there === undefined;
    there = present;
    if (!present) {
      output.event({ event: "waiting", session, reason: "the invited machine is away" });
      return output.note("they are away; the same machine may come back");
    }
    const place = splitAddress(address);
    const keyed = agentKey === undefined ? name : `${name}#${agentKey}`;
    const line = run.request.private
      ? privateLine(target, target.service === "ssh" ? `${user}@${keyed}` : keyed, false)
      : nextLine(target, place, user);
    output.event(
      { event: "ready", command: "invite", session, name, address, agentKey: agentKey ?? null },
      first ? line : undefined,
    );
    if (!first) return output.note("they are back");
    if (command.length === 0) return;
    runGuestCommand(command, place, { output, signal }).then((code) => {
      runtime.exitWith(code);
      resolve(undefined);
    }, reject);
  }

  signal.addEventListener("abort", () => resolve(undefined), { once: true });
  await using _watch = watchInvitation({
    ...api.watchSocket(session),
    log: output.log,
    signal,
    proxies: runtime.proxies,
    onJoined(by, times) {
      user = by.user || user;
      agentKey = by.fingerprint;
      tellJoined(run, invited, by, times);
    },
    onPresence,
    onEnded: resolve,
  });
  return await promise;
}

function tellJoined(
  { output, target, request }: Run,
  { session }: CreatedInvitation,
  by: Joined,
  times: number,
): void {
  const { host, user, ip, method, hostkey } = by;
  const key = hostkey === "" ? {} : { hostKey: hostkey, fingerprint: fingerprint(hostkey) };
  const agentKey = by.fingerprint ?? null;
  output.event({ event: "joined", session: session.id, host, user, ip, method, times, agentKey, ...key });
  output.note("");
  output.note(
    `${user || "Somebody"} on ${host || "a machine without a name"} (${ip}) has joined, by ${method}`,
  );
  if (agentKey !== null) output.note(`  its key      ${agentKey}, for rdv connect; compare it by voice`);
  if (target.service !== "ssh" || hostkey === "") return;
  output.note(`  host key     ${fingerprint(hostkey)}, as that machine says`);
  // rdv ssh looks the key up under the session's name.
  const line = request.private
    ? `${session.name} ${hostkey}`
    : knownHostsLine(splitAddress(session.address), hostkey);
  output.note(`  known_hosts  ${line}`);
}
