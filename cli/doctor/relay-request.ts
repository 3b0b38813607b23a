import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { Problem, RdvError } from "../../protocol/errors.ts";
import { halfPaths, upgradeToken } from "../../protocol/handshake.ts";
import { limits } from "../../protocol/limits.ts";
import { bounded } from "./bounded.ts";

/** What came back to a GET. */
export interface Answer {
  readonly status: number;
  /** The problem document, when there is one. */
  readonly problem: Problem | undefined;
  readonly ms: number;
}

/** A connection to the relay, as a half would use it. */
export type OpenSocket = (signal: AbortSignal) => Promise<Socket>;

/** The path and headers of a half that has no ticket. */
export const ticketless = {
  path: halfPaths.agent,
  headers: { connection: "Upgrade", upgrade: upgradeToken },
} as const;

/**
 * Sends one GET to a relay on a connection of its own. The body is read up to the size of a refusal.
 * Throws `unreachable`, `timeout` or `untrusted`, or the reason of `signal`.
 */
export async function askRelay(
  open: OpenSocket,
  { path, headers = {} }: { readonly path: string; readonly headers?: Readonly<Record<string, string>> },
  host: string,
  signal: AbortSignal,
): Promise<Answer> {
  return await bounded(signal, async (ends) => {
    const socket = await open(ends);
    ends.addEventListener("abort", () => socket.destroy(), { once: true });
    return await get(socket, path, { host, ...headers });
  });
}

async function get(socket: Socket, path: string, headers: Readonly<Record<string, string>>): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const begin = performance.now();
  const done = (status: number, body: string): void =>
    resolve({ status, problem: problemOf(body), ms: performance.now() - begin });
  const sent = request({ createConnection: () => socket, path, headers });
  sent.on("response", (response) => {
    readBody(response).then((body) => done(response.statusCode ?? 0, body), reject);
  });
  sent.on("upgrade", () => done(101, ""));
  sent.on("error", (error: NodeJS.ErrnoException) => reject(noAnswer(error)));
  sent.end();
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Without an encoding a response gives buffers.
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > limits.handshakeBytes) break;
  }
  return Buffer.concat(chunks).toString("utf8");
}

function problemOf(body: string): Problem | undefined {
  try {
    return Problem.safeParse(JSON.parse(body)).data;
  } catch {
    return undefined;
  }
}

function noAnswer(error: NodeJS.ErrnoException): RdvError {
  const why = error.code === "ECONNRESET" ? "the connection was closed without an answer" : error.message;
  return new RdvError("unreachable", why, { cause: error });
}
