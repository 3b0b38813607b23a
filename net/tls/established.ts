import type { TLSSocket } from "node:tls";
import type { RdvError } from "../../protocol/errors.ts";
import { resetSocket } from "../pump-reset.ts";

interface HandshakeTerms<T> {
  /** With which Node says that the handshake is done: `secure` of a server's socket, `secureConnect` of a client's. */
  readonly event: "secure" | "secureConnect";
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly timeoutError: () => RdvError;
  /** What a broken handshake is; without `error` the other side has just closed. */
  readonly toError: (error: NodeJS.ErrnoException | undefined) => RdvError;
  /** Looks at the other side's key; throws when it is not the right one. */
  readonly check: () => T;
}

/**
 * Waits for the end of a TLS handshake and gives what `check` makes of the other side. Throws what the terms say, or
 * the reason of `signal`; the connection is then reset. A listener for `error` stays for good.
 */
export async function established<T>(secure: TLSSocket, terms: HandshakeTerms<T>): Promise<T> {
  const { event, signal, toError } = terms;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = (): void => reject(signal.reason as Error); // abort() without a reason gives an Error, too
  const onClose = (): void => reject(toError(undefined));
  const timer = setTimeout(() => reject(terms.timeoutError()), terms.timeoutMs);
  // Stays: a reset before the owner has looked must not end the process.
  secure.on("error", (error) => reject(toError(error)));
  secure.once("close", onClose).once(event, resolve);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    signal.throwIfAborted();
    await promise;
    if (secure.destroyed) throw toError(undefined);
    return terms.check();
  } catch (error) {
    // Not an end, which the other side would take for a half-closed stream.
    resetSocket(secure);
    throw error;
  } finally {
    clearTimeout(timer);
    secure.off("close", onClose);
    signal.removeEventListener("abort", onAbort);
  }
}
