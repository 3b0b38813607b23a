import * as z from "zod";
import type { CreateSession, RelayList } from "./api.ts";
import { RelayCandidates, RelayDrain, RelayList as RelayListSchema, Session, SessionList } from "./api.ts";
import { RdvError, fromProblem } from "./errors.ts";
import { ClaimAnswer, CreatedInvitation, InvitationDetails } from "./invitations.ts";
import type { Claim, CreateInvitation } from "./invitations.ts";
import { limits } from "./limits.ts";

interface ApiDeps {
  /** Base URL of the control plane, `http://127.0.0.1:8787`. */
  readonly url: string;
  /** API token; without it only `jwks` and `health` are answered. */
  readonly token?: string | undefined;
  readonly fetch?: typeof fetch;
  /** Ends every request that is under way. */
  readonly signal?: AbortSignal | undefined;
}

const Jwks = z.object({ keys: z.array(z.record(z.string(), z.unknown())) });
const Health = z.object({ status: z.string() });

/** The control plane's HTTP API. Every verb throws RdvError and nothing else, but for the reason of `signal`. */
export interface Api {
  createSession(request: CreateSession): Promise<Session>;
  listSessions(): Promise<SessionList["sessions"]>;
  getSession(idOrName: string): Promise<Session>;
  /** Ends a session; `not_found` when there is none. */
  endSession(idOrName: string): Promise<void>;
  listRelays(): Promise<RelayList["relays"]>;
  /** Relays that a new session may get, a few of each region. */
  relayCandidates(): Promise<RelayCandidates["relays"]>;
  /** Lets a relay take no new session, and gives those that it has to others. */
  drainRelay(relay: string): Promise<RelayDrain>;
  /** Takes a relay out of the fleet; `relay_busy` while it is up or its drain is not over. */
  removeRelay(relay: string): Promise<void>;
  jwks(): Promise<z.infer<typeof Jwks>>;
  health(): Promise<z.infer<typeof Health>>;
  /** Where the control connection of a session's agent is opened, and with which token. */
  agentSocket(session: string): { readonly url: string; readonly token: string };
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
  const base = parseBase(deps.url);
  const call = async <T>(method: string, path: string, schema: z.ZodType<T>, body?: unknown): Promise<T> => {
    const { response, text } = await send(deps, base, method, path, body);
    return readAnswer(base, response, text, schema);
  };
  const sessionPath = (idOrName: string): string => `/v1/sessions/${encodeURIComponent(idOrName)}`;
  const relayPath = (relay: string): string => `/v1/relays/${encodeURIComponent(relay)}`;
  const codePath = (code: string): string => `/j/${encodeURIComponent(code)}`;
  const socket = (session: string, end: string): { url: string; token: string } => ({
    url: join(base, `${sessionPath(session)}/${end}`).href,
    token: deps.token ?? "",
  });
  return {
    createSession: async (request) => await call("POST", "/v1/sessions", Session, request),
    listSessions: async () => (await call("GET", "/v1/sessions", SessionList)).sessions,
    getSession: async (idOrName) => await call("GET", sessionPath(idOrName), Session),
    endSession: async (idOrName) => await call("DELETE", sessionPath(idOrName), z.undefined()),
    listRelays: async () => (await call("GET", "/v1/relays", RelayListSchema)).relays,
    relayCandidates: async () => (await call("GET", "/v1/relays/candidates", RelayCandidates)).relays,
    drainRelay: async (relay) => await call("POST", `${relayPath(relay)}/drain`, RelayDrain),
    removeRelay: async (relay) => await call("DELETE", relayPath(relay), z.undefined()),
    jwks: async () => await call("GET", "/v1/jwks", Jwks),
    health: async () => await call("GET", "/healthz", Health),
    agentSocket: (session) => socket(session, "agent"),
    createInvitation: async (request) => await call("POST", "/v1/invitations", CreatedInvitation, request),
    getInvitation: async (code) => await call("GET", codePath(code), InvitationDetails),
    claimInvitation: async (code, claim) => await call("POST", `${codePath(code)}/claim`, ClaimAnswer, claim),
    watchSocket: (session) => socket(session, "watch"),
  };
}

function parseBase(url: string): URL {
  const base = URL.parse(url);
  if (base && (base.protocol === "http:" || base.protocol === "https:")) return base;
  throw new RdvError(
    "usage",
    `${JSON.stringify(url)} is not an http:// or https:// URL; check --control or RDV_CONTROL`,
  );
}

/** A path of the API below the base URL, which may have a path of its own. */
function join(base: URL, path: string): URL {
  return new URL(base.pathname.replace(/\/$/, "") + path, base);
}

async function send(
  deps: ApiDeps,
  base: URL,
  method: string,
  path: string,
  body: unknown,
): Promise<{ response: Response; text: string }> {
  const { token, signal } = deps;
  const timeout = AbortSignal.timeout(limits.requestMs);
  const headers = new Headers({ accept: "application/json" });
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  if (body !== undefined) headers.set("content-type", "application/json");
  try {
    const response = await (deps.fetch ?? fetch)(join(base, path), {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      redirect: "error",
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    return { response, text: await response.text() };
  } catch (cause) {
    signal?.throwIfAborted();
    if (timeout.aborted)
      throw new RdvError(
        "timeout",
        `${base.origin} did not answer within ${limits.requestMs / 1_000} s; check --control and the network`,
        { cause },
      );
    throw new RdvError(
      "unreachable",
      `Cannot reach the control plane at ${base.origin} (${reasonOf(cause)}); is it running, is --control right?`,
      { cause },
    );
  }
}

function readAnswer<T>(base: URL, response: Response, text: string, schema: z.ZodType<T>): T {
  const body = text === "" ? undefined : parseJson(text);
  const isJson = text === "" || body !== undefined;
  if (!isJson || (!response.ok && !isProblem(response))) throw notRdv(base, response);
  if (!response.ok) throw fromProblem(body, response.status, retryAfterMs(response));
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw notRdv(base, response, parsed.error);
}

/** Undefined when it is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isProblem(response: Response): boolean {
  return response.headers.get("content-type")?.startsWith("application/problem+json") ?? false;
}

function notRdv(base: URL, response: Response, cause?: unknown): RdvError {
  const type = response.headers.get("content-type") ?? "no content type";
  // A proxy in front of the control plane answers for it while it is away, so that is worth another try.
  const code = response.status >= 500 || response.status === 429 ? "unreachable" : "failed";
  const detail = `${base.origin} does not answer like an rdv control plane (HTTP status ${response.status}, ${type}); check --control`;
  return new RdvError(code, detail, { cause, ...retryOption(response) });
}

function retryOption(response: Response): { retryAfterMs?: number } {
  const after = retryAfterMs(response);
  return after === undefined ? {} : { retryAfterMs: after };
}

/** `Retry-After` in seconds (RFC 9110 section 10.2.3); dates are ignored. */
function retryAfterMs(response: Response): number | undefined {
  const seconds = Number(response.headers.get("retry-after"));
  return seconds > 0 ? seconds * 1_000 : undefined;
}

/** The most telling part of what `fetch` threw: the system's error code, if there is one. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof Error) return "code" in cause ? String(cause.code) : cause.message;
  return error.message;
}
