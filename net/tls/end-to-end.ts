import { constants } from "node:crypto";
import { connect, createSecureContext, TLSSocket } from "node:tls";
import type { SecureContext } from "node:tls";
import type { Socket } from "node:net";
import { RdvError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { fingerprintOf } from "./certificate.ts";
import type { Identity } from "./certificate.ts";
import { established } from "./established.ts";
import { layerOver } from "./layer.ts";

interface EndOptions {
  /** Of this end; its key stays here, its certificate is shown to the other end. */
  readonly identity: Identity;
  readonly signal: AbortSignal;
  /** Default `limits.handshakeMs`. */
  readonly handshakeMs?: number;
}

export interface SecureAgentOptions extends EndOptions {
  /** Of the only client's key that is let in; by default every client may have the key that it likes. */
  readonly expectClient?: string | undefined;
}

export interface SecureClientOptions extends EndOptions {
  /** Of the only key that the agent may have. */
  readonly agentKey: string;
}

/** Both ends say it in their hello, so that neither takes another program's TLS for this one (RFC 7301). */
const protocol = "rdv/1";

/**
 * The agent's end of the encryption inside a pair or a direct connection: TLS 1.3 as its server. `early` was read from
 * the socket already, which is the callee's from now on. The TLS socket that comes back has no listener but one for
 * `error`; its half-close is a close_notify, its reset the connection's, and a connection that was cut off is an error.
 * Throws `untrusted`, `unreachable` or `timeout`, or the reason of `signal`, and the connection is then reset.
 */
export async function secureAsAgent(
  socket: Socket,
  early: Buffer,
  options: SecureAgentOptions,
): Promise<{ readonly socket: TLSSocket; readonly clientKey: string }> {
  const layer = layerOver(socket, early);
  const secure = new TLSSocket(layer.below, {
    isServer: true,
    secureContext: contextOf(options.identity),
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: [protocol],
  });
  layer.carries(secure);
  // Node tells a server's errors, an altered record among them, by this event alone unless a `tls.Server` made the socket.
  secure.on("_tlsError", (error: Error) => secure.destroy(error));
  const clientKey = await handshake(secure, "secure", options, options.expectClient);
  return { socket: secure, clientKey };
}

/** The client's end: as `secureAsAgent`, but it goes on only when the agent has proved to have the key it should have. */
export async function secureAsClient(
  socket: Socket,
  early: Buffer,
  options: SecureClientOptions,
): Promise<TLSSocket> {
  const layer = layerOver(socket, early);
  const secure = connect({
    socket: layer.below,
    secureContext: contextOf(options.identity),
    rejectUnauthorized: false,
    ALPNProtocols: [protocol],
  });
  layer.carries(secure);
  await handshake(secure, "secureConnect", options, options.agentKey);
  return secure;
}

/**
 * Keys are compared by their fingerprint: there is no authority, and naming our own saves loading the system's. One
 * for all connections of an identity: to make it costs more than half of a handshake.
 */
function contextOf(identity: Identity): SecureContext {
  const known = contexts.get(identity);
  if (known) return known;
  const made = createSecureContext({
    key: identity.key,
    cert: identity.cert,
    ca: identity.cert,
    minVersion: "TLSv1.3",
    maxVersion: "TLSv1.3",
    // No connection is resumed from an earlier one: each proves both keys anew.
    secureOptions: constants.SSL_OP_NO_TICKET,
  });
  contexts.set(identity, made);
  return made;
}

/** Gone with its identity. */
const contexts = new WeakMap<Identity, SecureContext>();

/** Resolves to the key that the other end has proved to have. */
async function handshake(
  secure: TLSSocket,
  event: "secure" | "secureConnect",
  { signal, handshakeMs = limits.handshakeMs }: EndOptions,
  expected: string | undefined,
): Promise<string> {
  return await established(secure, {
    event,
    signal,
    timeoutMs: handshakeMs,
    timeoutError: () => handshakeTimeout(handshakeMs),
    toError: handshakeError,
    check: () => checkKey(secure, expected),
  });
}

function checkKey(secure: TLSSocket, expected: string | undefined): string {
  const certificate = secure.getPeerX509Certificate();
  if (certificate === undefined || secure.alpnProtocol !== protocol)
    throw new RdvError("untrusted", "the other end speaks TLS, but is no rdv");
  const key = fingerprintOf(certificate);
  if (expected === undefined || key === expected) return key;
  throw new RdvError(
    "untrusted",
    `the other end has the key ${key}, not ${expected}: somebody may be in between`,
  );
}

function handshakeTimeout(ms: number): RdvError {
  return new RdvError("timeout", `the other end did not begin to encrypt within ${ms} ms; has it --plain?`);
}

/** What OpenSSL complains of is what the other end sent. */
function handshakeError(error: NodeJS.ErrnoException | undefined): RdvError {
  if (!error?.code?.startsWith("ERR_SSL_")) {
    const why = error?.message ?? "it closed the connection";
    return new RdvError("unreachable", `the other end did not encrypt: ${why}`, { cause: error });
  }
  const noTls = /WRONG_VERSION_NUMBER|HTTP_REQUEST|UNEXPECTED_MESSAGE|PACKET_LENGTH/.test(error.code);
  const why = noTls
    ? "it sent something else; has it --plain?"
    : error.code.slice("ERR_SSL_".length).toLowerCase();
  return new RdvError("untrusted", `the other end did not encrypt as it should: ${why}`, { cause: error });
}
