import type { Socket } from "node:net";
import { hostPort } from "../../protocol/api.ts";
import { RdvError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { dialTcp } from "../dial.ts";
import type { DialOptions } from "../dial.ts";
import type { Proxy } from "./proxies.ts";

/**
 * Opens a tunnel through an HTTP proxy (RFC 9110 section 9.3.6). The socket is as `dialTcp` gives one: what the far
 * end has said already can be read from it, and the kernel pump takes it.
 * Throws `unreachable` with what to do, `timeout`, or the reason of `signal`.
 */
export async function dialThroughProxy(proxy: Proxy, options: DialOptions): Promise<Socket> {
  const { host, port, signal, timeoutMs = limits.dialMs } = options;
  const startedAt = performance.now();
  const names = {
    via: hostPort(proxy.host, proxy.port),
    where: hostPort(host, port),
    variable: proxy.variable,
  };
  const socket = await dialProxy(proxy, names, options);
  const left = Math.max(1, timeoutMs - (performance.now() - startedAt));
  try {
    socket.write(connectRequest(names.where, proxy));
    checkAnswer(await readHead(socket, names, signal, left), names);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

interface Names {
  readonly via: string;
  readonly where: string;
  readonly variable: string;
}

async function dialProxy(proxy: Proxy, { via, variable }: Names, options: DialOptions): Promise<Socket> {
  try {
    return await dialTcp({ ...options, host: proxy.host, port: proxy.port });
  } catch (error) {
    options.signal.throwIfAborted();
    if (!(error instanceof RdvError)) throw error;
    throw new RdvError(error.code, `The proxy ${via} of ${variable}: ${error.message}`, { cause: error });
  }
}

function connectRequest(where: string, { authorization }: Proxy): string {
  const credentials = authorization === undefined ? "" : `Proxy-Authorization: ${authorization}\r\n`;
  return `CONNECT ${where} HTTP/1.1\r\nHost: ${where}\r\n${credentials}\r\n`;
}

/** The answer's head; bytes behind it are put back into the socket. */
async function readHead(
  socket: Socket,
  { via, where }: Names,
  signal: AbortSignal,
  ms: number,
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let received = Buffer.alloc(0);
  const fail = (code: "unreachable" | "timeout", what: string): void =>
    reject(new RdvError(code, `The proxy ${via} ${what}`));
  // Read in pieces by "readable", because a socket that once flowed would lose what comes before its next reader.
  const onReadable = (): void => {
    for (let chunk = read(socket); chunk; chunk = read(socket)) received = Buffer.concat([received, chunk]);
    const end = received.indexOf("\r\n\r\n");
    if (end >= 0) return resolve(received.toString("latin1", 0, end));
    if (received.length > limits.handshakeBytes) fail("unreachable", "answers CONNECT with an endless head");
  };
  const onClose = (): void => fail("unreachable", `closed the connection instead of opening one to ${where}`);
  const onAbort = (): void => reject(signal.reason as Error);
  const timer = setTimeout(
    () => fail("timeout", `opened no connection to ${where} within ${Math.round(ms)} ms`),
    ms,
  );
  socket.on("readable", onReadable).on("end", onClose).on("close", onClose);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    const head = await promise;
    const rest = received.subarray(head.length + 4);
    if (rest.length > 0) socket.unshift(rest);
    return head;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    socket.off("readable", onReadable).off("end", onClose).off("close", onClose);
  }
}

function read(socket: Socket): Buffer | undefined {
  const chunk: unknown = socket.read();
  return Buffer.isBuffer(chunk) ? chunk : undefined;
}

function checkAnswer(head: string, { via, where, variable }: Names): void {
  const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |\r|$)/.exec(head)?.[1] ?? 0);
  if (status >= 200 && status < 300) return;
  const advice = adviceOf(status, where, variable);
  throw new RdvError("unreachable", `The proxy ${via} opens no connection to ${where}: ${advice}`);
}

function adviceOf(status: number, where: string, variable: string): string {
  switch (status) {
    case 0:
      return `it does not speak HTTP; check ${variable}`;
    case 401: // Some proxies say so to a wrong password.
    case 407:
      return `it wants a user name and a password (${status}); write ${variable}=http://USER:PASSWORD@HOST:PORT with the right ones`;
    case 403:
    case 405:
      return `its rules forbid it (${status}); ask for ${where} to be allowed, many proxies allow port 443 alone`;
    case 502:
    case 503:
    case 504:
      return `it cannot reach it itself (${status})`;
    default:
      return `it answered ${status}`;
  }
}
