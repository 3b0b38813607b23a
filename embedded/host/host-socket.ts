import type { WebSocket } from "ws";
import type { ObjectSocket } from "../../control/platform.ts";
import { pingText, pongText } from "../../protocol/signals.ts";

/** What an object's socket tells its object. */
export interface SocketEvents {
  /** Resolves when the object is done with the message; never rejects. */
  readonly onMessage: (text: string) => Promise<void>;
  /** Once, after the socket is closed or broken. */
  readonly onClosed: () => void;
}

/** A socket that an object accepted; it may send before the connection's 101 answer has gone out. */
export interface HostSocket extends ObjectSocket {
  /** Neither closed nor closing. */
  isOpen(): boolean;
  /** When the last heartbeat was answered. */
  heardAt(): number | null;
  /** The connection is there: what was sent so far goes out. */
  attach(connection: WebSocket): void;
  /** The connection never came. */
  abandon(): void;
  /** Ends a connection that does not close by itself. */
  terminate(): void;
  /** Resolves once the connection is gone and the object was told. */
  readonly gone: Promise<void>;
}

/** A peer that does not answer a close within this time is cut. */
const closeMs = 1_000;

/** Bytes that wait to be taken by the peer: room for all that a relay hears after a long absence. */
const longestQueue = 4 * 1024 * 1024;

/** Above this a peer is not read until it has read: it asks and does not take the answers. */
const longestAnswers = 64 * 1024;

/** Messages of one socket that its object deals with at once; above it the peer is not read, so TCP slows it down. */
const mostUnderWay = 32;

export function createHostSocket({ onMessage, onClosed }: SocketEvents): HostSocket {
  const gone = Promise.withResolvers<void>();
  const queue: ((connection: WebSocket) => void)[] = [];
  let connection: WebSocket | undefined;
  let open = true;
  let ended = false;
  let heard: number | null = null;
  let attachment: unknown = null;
  /** Read from the connection in one piece with others, and waiting for its turn. */
  const inbox: string[] = [];
  let underWay = 0;

  /** A peer that asks faster than it is answered, or than it reads, is not read for a while: TCP slows it down. */
  const regulate = (ws: WebSocket): void => {
    const isBehind = inbox.length + underWay > mostUnderWay || ws.bufferedAmount > longestAnswers;
    if (isBehind && !ws.isPaused) ws.pause();
    else if (!isBehind && ws.isPaused && inbox.length === 0) ws.resume();
  };
  const sendBounded = (ws: WebSocket, text: string): void => {
    if (ws.bufferedAmount > longestQueue) return ws.terminate();
    ws.send(text, () => regulate(ws));
    if (ws.bufferedAmount > longestAnswers) regulate(ws);
  };
  const perform = (action: (connection: WebSocket) => void): void => {
    if (connection) action(connection);
    else queue.push(action);
  };
  const receive = (ws: WebSocket, text: string): void => {
    inbox.push(text);
    regulate(ws);
    work(ws);
  };
  const work = (ws: WebSocket): void => {
    while (underWay < mostUnderWay && inbox.length > 0) {
      underWay += 1;
      void onMessage(inbox.shift() ?? "").then(() => {
        underWay -= 1;
        // Others have their turn first: what objects do is often done without leaving the event loop's present turn.
        setImmediate(work, ws);
      });
    }
    regulate(ws);
  };
  const finish = (): void => {
    open = false;
    if (ended) return;
    ended = true;
    onClosed();
    gone.resolve();
  };

  return {
    send: (text) => {
      if (open) perform((ws) => sendBounded(ws, text));
    },
    close: (code, reason) => {
      if (!open) return;
      open = false;
      perform((ws) => {
        // RFC 6455 section 5.5: a close frame holds at most 123 bytes of reason.
        ws.close(code, Buffer.from(reason).subarray(0, 123).toString());
        const timer = setTimeout(() => ws.terminate(), closeMs);
        timer.unref();
        ws.once("close", () => clearTimeout(timer));
      });
    },
    serializeAttachment: (value) => {
      attachment = structuredClone(value);
    },
    deserializeAttachment: () => structuredClone(attachment),
    isOpen: () => open,
    heardAt: () => heard,
    attach: (ws) => {
      connection = ws;
      ws.on("message", (data, isBinary) => {
        if (!open) return;
        if (isBinary) return ws.close(1_003, "text messages only");
        const text = messageText(data);
        if (text !== pingText) return receive(ws, text);
        heard = Date.now();
        sendBounded(ws, pongText);
      });
      // The close event follows; without a listener the error would end the process.
      ws.on("error", () => {});
      ws.on("close", finish);
      for (const action of queue.splice(0)) action(ws);
    },
    abandon: finish,
    terminate: () => connection?.terminate(),
    gone: gone.promise,
  };
}

/** `ws` gives one Buffer, unless its `binaryType` is changed. */
function messageText(data: Buffer | ArrayBuffer | Buffer[]): string {
  return Buffer.isBuffer(data)
    ? data.toString()
    : Array.isArray(data)
      ? Buffer.concat(data).toString()
      : Buffer.from(data).toString();
}
