import { connect, isIPv6 } from "node:net";
import type { LookupFunction, Socket } from "node:net";
import { hostPort } from "../protocol/api.ts";
import { RdvError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";

export interface DialOptions {
  readonly host: string;
  readonly port: number;
  /** Ends the attempt; a connection that is already made is not touched. */
  readonly signal: AbortSignal;
  /** Default `limits.dialMs`; name lookup included. */
  readonly timeoutMs?: number;
  /** Where to dial from, when that matters: other sockets may have the same port as long as none listens there. */
  readonly local?: LocalPort;
  /** Addresses to take for the host, instead of looking it up. */
  readonly addresses?: readonly string[] | undefined;
}

/** A port of this machine; the address, `0.0.0.0` or `::` for any one, is of the family that is dialled. */
export interface LocalPort {
  readonly address: string;
  readonly port: number;
}

/**
 * Opens a TCP connection, with half-close allowed, Nagle's algorithm off and keepalive on. The addresses of a host name
 * are tried one after the other, quickly at first; where one of them may only have been slow to answer, patiently once
 * more. The socket comes with no listener but one for `error`.
 * Throws `unreachable`, `timeout`, or the reason of `signal`.
 */
export async function dialTcp(options: DialOptions): Promise<Socket> {
  const { timeoutMs = limits.dialMs } = options;
  const startedAt = performance.now();
  try {
    return await attempt(options, timeoutMs, quickMs);
  } catch (error) {
    const leftMs = timeoutMs - (performance.now() - startedAt);
    if (!wasHasty(error) || leftMs < 1) throw error;
    return await attempt(options, leftMs, leftMs / 2);
  }
}

/** An address has this long to answer before the next one of its host is tried (RFC 8305 section 5). */
const quickMs = 250;

/** Node gives up an address when it tries the next one, so that one that is far away may look dead. */
function wasHasty(error: unknown): boolean {
  if (!(error instanceof RdvError) || !(error.cause instanceof AggregateError)) return false;
  return error.cause.errors.some((one: NodeJS.ErrnoException) => one.code === "ETIMEDOUT");
}

async function attempt(
  { host, port, signal, local, addresses, timeoutMs = limits.dialMs }: DialOptions,
  withinMs: number,
  addressMs: number,
): Promise<Socket> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({
    host,
    port,
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: limits.keepAliveMs,
    ...(addresses === undefined ? {} : { lookup: lookupIn(addresses) }),
    ...(local === undefined
      ? { autoSelectFamily: true, autoSelectFamilyAttemptTimeout: Math.ceil(addressMs) }
      : fromLocal(local)),
  });
  const where = hostPort(host, port);
  const timer = setTimeout(
    () =>
      reject(
        new RdvError("timeout", `No answer from ${where} within ${timeoutMs} ms; is a firewall in between?`),
      ),
    withinMs,
  );
  const onAbort = (): void => reject(signal.reason as Error);
  signal.addEventListener("abort", onAbort, { once: true });
  socket.once("connect", () => resolve(socket));
  // Stays for good: a reset before the owner has looked must not end the process.
  socket.on("error", (error) => reject(dialError(error, where)));
  try {
    return await promise;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

/** A lookup that knows the answer already. */
function lookupIn(addresses: readonly string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
  return (_host, options, callback) => {
    const [first] = all;
    if (options.all === true || first === undefined) callback(null, all);
    else callback(null, first.address, first.family);
  };
}

/** A local address has one family, and so must the other end. */
function fromLocal({ address, port }: LocalPort) {
  return { localAddress: address, localPort: port, family: isIPv6(address) ? 6 : 4 };
}

function dialError(error: NodeJS.ErrnoException, where: string): RdvError {
  const why = reasons[error.code ?? ""] ?? (error.message || error.code || "unknown reason");
  return new RdvError("unreachable", `Cannot reach ${where}: ${why}`, { cause: error });
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there (connection refused)",
  ECONNRESET: "the connection was reset",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "no route to the network",
  ENOTFOUND: "no such host name",
  EAI_AGAIN: "the name cannot be looked up now",
  ETIMEDOUT: "no answer",
  EMFILE: "this process has no file descriptor left; raise `ulimit -n`",
};
