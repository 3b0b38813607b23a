import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import * as z from "zod";
import { WebSocket } from "ws";
import { LinkSignal, SessionSignal } from "../../protocol/signals.ts";
import type { RelaySignal } from "../../protocol/signals.ts";
import { until } from "../fixtures/within.ts";

/** One end of a control connection, read message by message. */
export interface Peer<T> extends AsyncDisposable {
  send(message: string | Buffer): void;
  /** The next message that was not taken yet; rejects when the connection ends first. */
  next(): Promise<T>;
  /** Resolves when the other side has begun to close the connection, or it broke. */
  closing(): Promise<void>;
  /** Close code and reason, after the connection is gone; workerd keeps some for 10 s after the close handshake. */
  closed: Promise<{ code: number; reason: string }>;
  /** Ends the connection without a close handshake, as a killed process does. */
  kill(): void;
}

/** Connects as the agent of a session. */
export async function connectAgent(
  url: string,
  session: string,
  token: string,
): Promise<Peer<SessionSignal>> {
  return await connectPeer(SessionSignal, `${url}/v1/sessions/${session}/agent`, token);
}

/** Connects as a relay. */
export async function connectLink(url: string, relay: string, token: string): Promise<Peer<LinkSignal>> {
  return await connectPeer(LinkSignal, `${url}/v1/relays/${relay}/link`, token);
}

/** A relay that said hello and was welcomed, alone in its region. */
export async function startRelay(
  url: string,
  relay: string,
  token: string,
  hello: Partial<Extract<RelaySignal, { type: "hello" }>> = {},
): Promise<Peer<LinkSignal>> {
  const link = await connectLink(url, relay, token);
  const ports = { from: 20_000, to: 20_009 };
  link.send(
    JSON.stringify({
      type: "hello",
      region: "test",
      host: "relay.test",
      sharedPort: 8788,
      ports,
      version: "1.2.3",
      ...hello,
    }),
  );
  const welcome = await link.next();
  if (welcome.type !== "welcome") throw new Error(`expected a welcome, got ${welcome.type}`);
  return link;
}

/** The HTTP answer to an upgrade that is refused. */
export async function refusedUpgrade(url: string, token?: string): Promise<{ status: number; code: string }> {
  const ws = new WebSocket(
    url.replace("http", "ws"),
    token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
  );
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  ws.on("open", () => reject(new Error("the upgrade was accepted")));
  ws.on("error", () => {});
  ws.on("unexpected-response", (_request, response) => resolve(response));
  const response = await promise;
  const body = Buffer.concat(await response.toArray()).toString();
  return {
    status: response.statusCode ?? 0,
    code: z.object({ code: z.string() }).parse(JSON.parse(body)).code,
  };
}

/** Connects to any WebSocket of the control plane. */
export async function connectPeer<T>(schema: z.ZodType<T>, url: string, token: string): Promise<Peer<T>> {
  const ws = new WebSocket(url.replace("http", "ws"), { headers: { authorization: `Bearer ${token}` } });
  const arrived: T[] = [];
  const waiting: PromiseWithResolvers<T>[] = [];
  ws.on("message", (data: Buffer) => {
    const message = schema.parse(JSON.parse(data.toString()));
    const waiter = waiting.shift();
    if (waiter) waiter.resolve(message);
    else arrived.push(message);
  });
  ws.on("error", () => {});
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    ws.on("close", (code, reason) => {
      for (const waiter of waiting.splice(0))
        waiter.reject(new Error(`closed with ${code} ${String(reason)}`));
      resolve({ code, reason: String(reason) });
    });
  });
  await once(ws, "open");
  return {
    send: (message) => ws.send(message),
    next: async () => {
      const message = arrived.shift();
      if (message !== undefined) return message;
      if (ws.readyState === WebSocket.CLOSED) throw new Error("closed");
      const waiter = Promise.withResolvers<T>();
      waiting.push(waiter);
      return await waiter.promise;
    },
    closed,
    closing: async () => {
      await until(10_000, "the other side closes", () => ws.readyState > WebSocket.OPEN || undefined);
    },
    kill: () => ws.terminate(),
    [Symbol.asyncDispose]: async () => {
      if (ws.readyState === WebSocket.OPEN) ws.close();
      else ws.terminate();
      await closed;
    },
  };
}
