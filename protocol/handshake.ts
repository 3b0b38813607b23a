import type { DirectMiss } from "./connect.ts";
import { limits } from "./limits.ts";

/** Value of the `Upgrade` header of a half-tunnel (RFC 9110 section 7.8). */
export const upgradeToken = "rdv/1";
/** Paths on the relay's shared port, by which side of the pair asks. */
export const halfPaths = { agent: "/v1/agent", client: "/v1/client" } as const;
export type HalfKind = keyof typeof halfPaths;
/** Where the relay tells who asks how it sees them: their mapped address. */
export const addressPath = "/v1/address";
/** Where a half opens a WebSocket that carries its request and its bytes, when nothing else comes through. */
export const webSocketPath = "/v1/ws";

/** What the relay says in its 101 answer. */
export interface PairedHead {
  /** Identifies the pair in the logs of relay and agent. */
  readonly pair: string;
  /** Client's address as the relay saw it, `ip:port` or `[ip]:port`. */
  readonly client: string;
  /** Clients that still wait for a half. */
  readonly demand: number;
  /** The client came with a ticket of the session's owner: `rdv connect`, not a plain program. */
  readonly ticketed: boolean;
}

/**
 * The request that a half sends. `host` is the relay's `host:port`.
 * `Expect: 100-continue` asks the relay to say when the half waits and the session's port is open
 * (RFC 9110 section 10.1.1); a half that leaves it out hears nothing before its 101. `proof` shows that the ticket is
 * the sender's own (RFC 9449 section 4), `direct` why a client does not come directly.
 */
export function formatHalfRequest(
  kind: HalfKind,
  host: string,
  ticket: string,
  proof?: string,
  direct?: DirectMiss,
): string {
  const proven = proof === undefined ? "" : `DPoP: ${proof}\r\n`;
  const missed = direct === undefined ? "" : `Rdv-Direct: ${direct}\r\n`;
  return (
    `GET ${halfPaths[kind]} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: ${upgradeToken}\r\n` +
    `Expect: 100-continue\r\nAuthorization: Bearer ${ticket}\r\n${proven}${missed}\r\n`
  );
}

/**
 * The relay's interim answer to `Expect: 100-continue`: accepted, waiting, port open. The header tells it from a 100 that
 * a proxy in between says of its own accord, which means nothing.
 */
export const waitingAnswer = "HTTP/1.1 100 Continue\r\nRdv-Waiting: yes\r\n\r\n";

/** The relay's answer when the other half has come; raw bytes follow it. */
export function formatPaired(head: PairedHead): string {
  return (
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${upgradeToken}\r\n` +
    `Rdv-Pair: ${head.pair}\r\nRdv-Client: ${head.client}\r\nRdv-Demand: ${head.demand}\r\nRdv-Kind: ${head.ticketed ? "ticket" : "plain"}\r\n\r\n`
  );
}

export type HalfAnswer =
  /** The head is not complete yet. */
  | { readonly type: "incomplete" }
  /** Accepted and waiting; `headBytes` bytes were this interim answer, the next answer follows them. */
  | { readonly type: "waiting"; readonly headBytes: number }
  /** Something in between said 100: the next answer follows these `headBytes`. */
  | { readonly type: "interim"; readonly headBytes: number }
  /** Paired: `headBytes` bytes were the head, what follows is the client's. */
  | { readonly type: "paired"; readonly head: PairedHead; readonly headBytes: number }
  /** Refused: the body, if complete, is a problem document. */
  | {
      readonly type: "refused";
      readonly status: number;
      readonly retryAfterMs: number | undefined;
      readonly body: string;
    }
  /** Not an answer of a relay, or a head of more than `limits.handshakeBytes`. */
  | { readonly type: "malformed" };

/**
 * Reads the relay's answer from the bytes received so far, decoded as latin1 (one character a byte).
 * A refusal is complete when its `Content-Length` bytes are there or `ended` says that no more will come.
 */
export function parseHalfAnswer(received: string, ended: boolean): HalfAnswer {
  const end = received.indexOf("\r\n\r\n");
  if (end < 0)
    return ended || received.length > limits.handshakeBytes ? { type: "malformed" } : { type: "incomplete" };
  const [statusLine = "", ...lines] = received.slice(0, end).split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3})(?: |$)/.exec(statusLine)?.[1]);
  if (!status || end > limits.handshakeBytes) return { type: "malformed" };
  const headers = parseHeaders(lines);
  if (status === 100) return { type: headers.has("rdv-waiting") ? "waiting" : "interim", headBytes: end + 4 };
  if (status === 101) return parsePaired(headers, end + 4);
  const body = received.slice(end + 4);
  const length = Number(headers.get("content-length") ?? 0);
  if (!ended && body.length < Math.min(length, limits.handshakeBytes)) return { type: "incomplete" };
  const retryAfter = Number(headers.get("retry-after"));
  return { type: "refused", status, retryAfterMs: retryAfter > 0 ? retryAfter * 1_000 : undefined, body };
}

function parseHeaders(lines: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return headers;
}

function parsePaired(headers: ReadonlyMap<string, string>, headBytes: number): HalfAnswer {
  const pair = headers.get("rdv-pair");
  const client = headers.get("rdv-client");
  const demand = Number(headers.get("rdv-demand") ?? 0);
  if (
    headers.get("upgrade")?.toLowerCase() !== upgradeToken ||
    !isPrintable(pair) ||
    !isPrintable(client) ||
    !Number.isInteger(demand) ||
    demand < 0
  )
    return { type: "malformed" };
  const ticketed = headers.get("rdv-kind") === "ticket";
  return { type: "paired", head: { pair, client, demand, ticketed }, headBytes };
}

/** What a relay says about a client is shown on terminals. */
function isPrintable(text: string | undefined): text is string {
  return text !== undefined && /^[\x21-\x7e]{1,100}$/.test(text);
}
