import * as z from "zod";
import { about } from "./about.ts";
import { created, invited, keysOf, theKey, theSession } from "./answers.ts";
import type { AgentAttach, CreateSession, Relay, Session, UpdateSession } from "./api.ts";
import { RelayCandidates, RelayDrain, RelayList, SessionList } from "./api.ts";
import { createApiCall } from "./api-call.ts";
import type { ApiDeps } from "./api-call.ts";
import { ClientTickets, DirectAnswer } from "./connect.ts";
import type { DirectOffer, RequestTickets } from "./connect.ts";
import { RdvError } from "./errors.ts";
import { ClaimAnswer, InvitationDetails } from "./invitations.ts";
import type { Claim, CreateInvitation, CreatedInvitation } from "./invitations.ts";
import { RotatedSigningKey, Token, WhoAmI } from "./keys.ts";
import type { CreateKey, CreatedKey, Key, RekeyRelay } from "./keys.ts";
import { limits } from "./limits.ts";

const Jwks = z.object({ keys: z.array(z.record(z.string(), z.unknown())) });
const Health = z.object({ status: z.literal("ok") });

/** The control plane's HTTP API. Every verb throws RdvError and nothing else, but for the reason of `signal`. */
export interface Api {
  createSession(request: CreateSession): Promise<Session>;
  /** Every session of the account, page after page. */
  listSessions(): Promise<Session[]>;
  getSession(idOrName: string): Promise<Session>;
  /** Changes who may use a session and how much of it; live listeners obey at once. */
  updateSession(idOrName: string, request: UpdateSession): Promise<Session>;
  /** The way to a session's service for a client of its owner; `ended` or `not_found` when it is no more. */
  requestTickets(idOrName: string, request?: RequestTickets): Promise<ClientTickets>;
  /**
   * Offers a session's agent to meet without relay; the answer takes up to `limits.directAnswerMs`. `no_agent` when it
   * is away.
   */
  offerDirect(idOrName: string, offer: DirectOffer): Promise<DirectAnswer>;
  /** Ends a session; `not_found` when there is none. */
  endSession(idOrName: string): Promise<void>;
  listRelays(): Promise<Relay[]>;
  /** Account, key and scopes of the token. */
  whoAmI(): Promise<WhoAmI>;
  /** Makes a key; its token is shown this once. */
  createKey(request: CreateKey): Promise<CreatedKey>;
  /** Keys of the token's account; the operator may name another one. */
  listKeys(account?: string): Promise<Key[]>;
  /** Revokes a key, and ends what was opened with it; `not_found` when there is none. */
  revokeKey(id: string, account?: string): Promise<void>;
  /** Relays that a new session may get, a few of each region. */
  relayCandidates(): Promise<RelayCandidates["relays"]>;
  /** Lets a relay take no new session, and gives those that it has to others. */
  drainRelay(relay: string): Promise<RelayDrain>;
  /** Gives a relay's id to a key, or to the one that it has, and lets its next hello say its TLS key anew. */
  rekeyRelay(relay: string, request?: RekeyRelay): Promise<void>;
  /** Takes a relay out of the fleet; `relay_busy` while it is up or its drain is not over. */
  removeRelay(relay: string): Promise<void>;
  jwks(): Promise<z.infer<typeof Jwks>>;
  /** Makes the next key that signs tickets; `unsupported` where the control plane is configured with its keys. */
  rotateSigningKey(): Promise<RotatedSigningKey>;
  health(): Promise<z.infer<typeof Health>>;
  /** Where the control connection of a session's agent is opened, and with which token; `attach` is what holds for it. */
  agentSocket(session: string, attach?: AgentAttach): { readonly url: string; readonly token: string };
  createInvitation(request: CreateInvitation): Promise<CreatedInvitation>;
  /** What a code is for; needs no token. `not_found` when it opens nothing. */
  getInvitation(code: string): Promise<InvitationDetails>;
  /** Exchanges a code for a ticket; needs no token. `name_taken` when another machine has used it. */
  claimInvitation(code: string, claim: Claim): Promise<ClaimAnswer>;
  /** Where the inviter hears what becomes of an invitation, and with which token. */
  watchSocket(session: string): { readonly url: string; readonly token: string };
}

/** Makes a client of the control plane at `url`. */
export function createApi(deps: ApiDeps): Api {
  const { call, href } = createApiCall(deps);
  const ownAccount = accountOf(deps.token);
  const socket = (session: string, end: string): { url: string; token: string } => ({
    url: href(`${sessionPath(session)}/${end}`),
    token: deps.token ?? "",
  });
  return {
    createSession: async (request) => await call("POST", "/v1/sessions", created(request), request),
    listSessions: async () =>
      await allPages(async (query) => {
        const { sessions, next } = await call("GET", `/v1/sessions?${query}`, SessionList);
        return { entries: sessions, next };
      }),
    getSession: async (idOrName) => await call("GET", sessionPath(idOrName), theSession(idOrName)),
    endSession: async (idOrName) => await call("DELETE", sessionPath(idOrName), z.undefined()),
    updateSession: async (idOrName, request) =>
      await call("PATCH", sessionPath(idOrName), theSession(idOrName), request),
    listRelays: async () =>
      await allPages(async (query) => {
        const { relays, next } = await call("GET", `/v1/relays?${query}`, RelayList);
        return { entries: relays, next };
      }),
    whoAmI: async () =>
      await call(
        "GET",
        "/v1/whoami",
        about(WhoAmI, "the token", ({ account }) => (ownAccount ?? account) === account),
      ),
    createKey: async (request) => await call("POST", "/v1/keys", theKey(request, ownAccount), request),
    listKeys: async (account = ownAccount) =>
      await allPages(async (query) => {
        if (account !== ownAccount && account !== undefined) query.set("account", account);
        const { keys, next } = await call("GET", `/v1/keys?${query}`, keysOf(account));
        return { entries: keys, next };
      }),
    revokeKey: async (id, account) =>
      await call("DELETE", `/v1/keys/${segment(id)}${queryOf({ account })}`, z.undefined()),
    relayCandidates: async () => (await call("GET", "/v1/relays/candidates", RelayCandidates)).relays,
    drainRelay: async (relay) =>
      await call(
        "POST",
        `${relayPath(relay)}/drain`,
        about(RelayDrain, relay, (answer) => answer.relay.id === relay),
      ),
    rekeyRelay: async (relay, request = {}) =>
      await call("POST", `${relayPath(relay)}/rekey`, z.undefined(), request),
    removeRelay: async (relay) => await call("DELETE", relayPath(relay), z.undefined()),
    jwks: async () => await call("GET", "/v1/jwks", Jwks),
    rotateSigningKey: async () => await call("POST", "/v1/signing-keys", RotatedSigningKey),
    health: async () => await call("GET", "/healthz", Health),
    requestTickets: async (idOrName, request = {}) =>
      await call(
        "POST",
        `${sessionPath(idOrName)}/tickets`,
        about(ClientTickets, idOrName, ({ session, name }) => session === idOrName || name === idOrName),
        request,
      ),
    offerDirect: async (idOrName, offer) =>
      await call("POST", `${sessionPath(idOrName)}/direct`, DirectAnswer, offer),
    agentSocket: (session, attach = {}) => socket(session, `agent${queryOf(attach)}`),
    createInvitation: async (request) => await call("POST", "/v1/invitations", invited(request), request),
    getInvitation: async (code) => await call("GET", codePath(code), InvitationDetails),
    claimInvitation: async (code, claim) => await call("POST", `${codePath(code)}/claim`, ClaimAnswer, claim),
    watchSocket: (session) => socket(session, "watch"),
  };
}

const sessionPath = (idOrName: string): string => `/v1/sessions/${segment(idOrName)}`;
const relayPath = (relay: string): string => `/v1/relays/${segment(relay)}`;
const codePath = (code: string): string => `/j/${segment(code)}`;

/** One segment of a path; `.` and `..` would lead to another one (RFC 3986 section 5.2.4). */
function segment(text: string): string {
  if (/^\.{0,2}$/.test(text)) throw new RdvError("usage", `${JSON.stringify(text)} is no name and no id`);
  return encodeURIComponent(text);
}

/** The account that a token names; undefined for one that names none. */
function accountOf(token: string | undefined): string | undefined {
  const account = Token.safeParse(token).success ? token?.split("_")[1] : undefined;
  return account === undefined ? undefined : `a_${account}`;
}

/** Follows a list to its last page; the server says where the next one begins, and lists have an end. */
async function allPages<T>(
  getPage: (
    query: URLSearchParams,
  ) => Promise<{ readonly entries: readonly T[]; readonly next: string | undefined }>,
): Promise<T[]> {
  const all: T[] = [];
  const query = new URLSearchParams({ limit: String(limits.pageMax) });
  for (let page = 0; page < limits.pages; page += 1) {
    const { entries, next } = await getPage(query);
    all.push(...entries);
    if (next === undefined) return all;
    query.set("cursor", next);
  }
  throw new RdvError("failed", `the list has more than ${limits.pages} pages; is --control right?`);
}

/** `?name=value&…`, or nothing. */
function queryOf(values: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== undefined) query.set(name, value);
  return query.size === 0 ? "" : `?${query}`;
}
