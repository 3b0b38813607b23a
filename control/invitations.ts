import { isLoopback } from "../protocol/plain-address.ts";
import { Cidr } from "../protocol/api.ts";
import type { CreateSession, Session } from "../protocol/api.ts";
import { newCode } from "../protocol/invitations.ts";
import type { CreateInvitation, CreatedInvitation, InvitationDetails } from "../protocol/invitations.ts";
import { RdvError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import type { Caller } from "./auth.ts";
import { canonicalAllow } from "./allow.ts";
import { sessionGrant } from "./grants.ts";
import { randomText } from "./identifiers.ts";
import { joinLines } from "./join/page-lines.ts";
import { sha256 } from "./keys.ts";
import { done, unwrap } from "./outcome.ts";
import type { Services } from "./services.ts";
import { sessionObjectName } from "./services.ts";

/** Who invites, and how the control plane sees them. */
interface Inviter {
  readonly caller: Caller;
  /** Address from which the request comes. */
  readonly address: string;
  /** Origin of the URLs that are sent to others. */
  readonly origin: string;
}

/** Two invitations with one code among 2^50 are next to impossible; three times in a row there is something wrong. */
const codeTries = 3;

/** Makes a session for somebody else's machine, and the code that lets that machine in. */
export async function createInvitation(
  services: Services,
  inviter: Inviter,
  request: CreateInvitation,
): Promise<CreatedInvitation> {
  if (request.raw && (request.ttlSeconds ?? 0) > limits.rawSeconds)
    throw new RdvError("bad_request", `ttlSeconds: a raw port lives at most ${limits.rawSeconds} s`);
  const ttlSeconds = request.ttlSeconds ?? limits.invitationDefaultSeconds;
  const expiresAt = services.now() + ttlSeconds * 1_000;
  const allow = request.allow ?? ownAddress(inviter.address);
  const { caller } = inviter;
  const owner = caller.account;
  for (let attempt = 0; attempt < codeTries; attempt += 1) {
    const code = newCode((bytes) => crypto.getRandomValues(bytes));
    const key = await invitationKey(code);
    const session = await openSession(services, caller, key, { ...request, allow, ttlSeconds });
    const details = detailsOf(request, session, expiresAt);
    const sessionObject = sessionOf(services, owner, session.id);
    const invitation = { owner, session: session.id, details, expiresAt };
    if (await services.env.INVITATIONS.getByName(key).create(invitation)) {
      const url = `${inviter.origin}/j/${code}`;
      const opened = request.raw ? await sessionObject.openRaw(request.raw) : done(null);
      // Nobody has the code of what is half made.
      if (!opened.ok) await sessionObject.end("it has no raw port");
      const raw = unwrap(opened);
      const lines = joinLines(url);
      const [line, powershell] = details.private ? [lines.rdv, lines.rdv] : [lines.shell, lines.powershell];
      return { code, url, line, powershell, expires: details.expires, session, raw };
    }
    await sessionObject.end("its code was in use");
  }
  throw new RdvError("internal", "No free code was found");
}

/** Name of an invitation's object: the code itself is kept nowhere. */
export async function invitationKey(code: string): Promise<string> {
  return await sha256(`rdv invitation ${code}`);
}

async function openSession(
  services: Services,
  caller: Caller,
  invitation: string,
  { target, service, allow, ttlSeconds, region, name: wanted, private: hidden }: CreateInvitation,
): Promise<Session> {
  const name = wanted ?? `${service ?? "help"}-${randomText(5)}`;
  const request: CreateSession = {
    name,
    target,
    allow,
    ttlSeconds,
    ...(region === undefined ? {} : { region }),
    ...(hidden === undefined ? {} : { private: hidden }),
  };
  const owner = caller.account;
  const by = sessionGrant(caller);
  const { id } = unwrap(await services.env.ACCOUNTS.getByName(owner).reserve({ owner, request, by }));
  const opened = await sessionOf(services, owner, id).open({ id, owner, name, by, request, invitation });
  return unwrap(opened).session;
}

function detailsOf(request: CreateInvitation, session: Session, expiresAt: number): InvitationDetails {
  return {
    inviter: request.inviter,
    target: request.target,
    service: request.service ?? null,
    address: session.address,
    private: session.private,
    relayTls: session.placements.every(({ tls }) => tls !== null),
    session: session.name,
    allow: session.policy.allow,
    expires: new Date(expiresAt).toISOString(),
  };
}

/**
 * The inviter's own address. Who comes from this same machine may come by either loopback address, and the relay
 * counts a connection from its own address as loopback.
 */
function ownAddress(ip: string): string[] {
  if (!Cidr.safeParse(ip).success)
    throw new RdvError("bad_request", "Your address is not visible here; say who may connect with --allow");
  const [address = ""] = canonicalAllow([ip]);
  return isLoopback(address) ? ["127.0.0.0/8", "::1"] : [address];
}

function sessionOf(
  { env }: Services,
  owner: string,
  id: string,
): ReturnType<Services["env"]["SESSIONS"]["getByName"]> {
  return env.SESSIONS.getByName(sessionObjectName(owner, id));
}
