import type { Socket } from "node:net";
import { connect, createSecureContext } from "node:tls";
import type { TLSSocket } from "node:tls";
import { RdvError } from "../../protocol/errors.ts";
import { fingerprintOf } from "./certificate.ts";
import { established } from "./established.ts";
import { refuseTruncation } from "./truncation.ts";

interface SecureClientOptions {
  /** Of the only key that the other side may have; see `fingerprintOf`. */
  readonly fingerprint: string;
  /** The other side's `host:port`, for errors. */
  readonly where: string;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

/** One for all, and without the authorities of the system: to load them costs more than many handshakes. */
const secureContext = createSecureContext({ minVersion: "TLSv1.3", ca: [] });

/**
 * Begins TLS 1.3 on a connected socket. The other side is known by its key alone: neither names nor authorities nor
 * dates are looked at. Throws `untrusted` for another key, `unreachable`, `timeout`, or the reason of `signal`, and
 * the socket is then reset.
 */
export async function secureClient(socket: Socket, options: SecureClientOptions): Promise<TLSSocket> {
  const { fingerprint, where, signal, timeoutMs } = options;
  const secure = connect({ socket, secureContext, rejectUnauthorized: false });
  refuseTruncation(secure);
  await established(secure, {
    event: "secureConnect",
    signal,
    timeoutMs,
    timeoutError: () =>
      new RdvError("timeout", `${where} takes connections but speaks no TLS within ${timeoutMs} ms`),
    toError: (error) => handshakeError(error, where),
    check: () => checkKey(secure, fingerprint, where),
  });
  return secure;
}

function checkKey(secure: TLSSocket, expected: string, where: string): void {
  const shown = secure.getPeerX509Certificate();
  if (shown !== undefined && fingerprintOf(shown) === expected) return;
  throw new RdvError(
    "untrusted",
    `${where} has not the key that the control plane names for it: somebody may be in between`,
  );
}

function handshakeError(error: Error | undefined, where: string): RdvError {
  // OpenSSL ends its messages with a line break.
  const why = error?.message.trim() ?? "it closed the connection";
  return new RdvError("unreachable", `No TLS with ${where}: ${why}`, { cause: error });
}
