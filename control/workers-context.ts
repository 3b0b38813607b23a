import { pingText, pongText } from "../protocol/signals.ts";
import type { ObjectContext, ObjectSocket, SyncKv } from "./platform.ts";

/** What a Durable Object's state offers, as far as it is used here. */
export interface WorkersState {
  readonly storage: {
    readonly kv: SyncKv;
    transactionSync<T>(run: () => T): T;
    setAlarm(at: number): Promise<void>;
    deleteAlarm(): Promise<void>;
    deleteAll(): Promise<void>;
  };
  acceptWebSocket(socket: WorkersSocket): void;
  getWebSockets(): WorkersSocket[];
  setWebSocketAutoResponse(pair: unknown): void;
  getWebSocketAutoResponseTimestamp(socket: WorkersSocket): Date | null;
  waitUntil(promise: Promise<unknown>): void;
}

export interface WorkersSocket extends ObjectSocket {
  readonly readyState: number;
}

declare const WebSocketPair: new () => { 0: WorkersSocket; 1: WorkersSocket };
declare const WebSocketRequestResponsePair: new (request: string, response: string) => unknown;

/** `WebSocket.OPEN`. */
const open = 1;

/** An object's context on Cloudflare Workers: hibernating sockets, heartbeats answered without waking the object. */
export function createWorkersContext(state: WorkersState): ObjectContext {
  const { storage } = state;
  state.setWebSocketAutoResponse(new WebSocketRequestResponsePair(pingText, pongText));
  const sockets = (): WorkersSocket[] => state.getWebSockets().filter((socket) => socket.readyState === open);
  return {
    kv: storage.kv,
    transaction: (run) => storage.transactionSync(run),
    setAlarm: (at) => state.waitUntil(at === null ? storage.deleteAlarm() : storage.setAlarm(at)),
    erase: async () => {
      await storage.deleteAlarm();
      await storage.deleteAll();
    },
    accept: () => {
      const { 0: client, 1: socket } = new WebSocketPair();
      state.acceptWebSocket(socket);
      // `webSocket` is the platform's own extension of ResponseInit.
      return { socket, response: new Response(null, { status: 101, webSocket: client } as ResponseInit) };
    },
    sockets,
    // The platform knows its own sockets only; every ObjectSocket here came from it.
    heardAt: (socket) => state.getWebSocketAutoResponseTimestamp(socket as WorkersSocket)?.getTime() ?? null,
  };
}
