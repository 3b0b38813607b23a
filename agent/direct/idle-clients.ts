import { readExactly } from "../../net/direct/read-exactly.ts";
import { limits } from "../../protocol/limits.ts";
import type { DirectConnection } from "./prove.ts";
import { startByte } from "./start-byte.ts";

interface IdleDeps {
  /** The client needs the connection now; it is the callee's, and `offer` named the attempt that made it. */
  readonly onStart: (connection: DirectConnection, offer: string) => void;
}

/** Direct connections that clients have made and do not need yet. */
export interface IdleClients extends Disposable {
  /** Keeps a connection of the client with this key; the oldest goes when there are too many. */
  add(connection: DirectConnection, key: string, offer: string): void;
  readonly size: number;
}

interface Idle {
  readonly connection: DirectConnection;
  readonly key: string;
  readonly offer: string;
}

/** Makes the agent's store of direct connections; bounded by `limits.directIdlePerClient` and `limits.directIdle`. */
export function createIdleClients({ onStart }: IdleDeps): IdleClients {
  const stop = new AbortController();
  const all = new Set<Idle>();

  function makeRoom(key: string): void {
    const same = [...all].filter((idle) => idle.key === key);
    const [oldest] = same.length >= limits.directIdlePerClient ? same : [...all];
    if (oldest && (same.length >= limits.directIdlePerClient || all.size >= limits.directIdle)) drop(oldest);
  }

  function drop(idle: Idle): void {
    all.delete(idle);
    idle.connection.destroy();
  }

  async function waitForStart(idle: Idle): Promise<void> {
    try {
      const byte = await readExactly(idle.connection.socket, startByte.length, stop.signal);
      if (!byte.equals(startByte)) throw new Error("not the byte that starts a connection");
    } catch {
      return drop(idle);
    }
    if (!all.delete(idle)) return;
    idle.connection.socket.write(startByte);
    onStart(idle.connection, idle.offer);
  }

  return {
    add(connection, key, offer) {
      if (stop.signal.aborted) return connection.destroy();
      makeRoom(key);
      const idle = { connection, key, offer };
      all.add(idle);
      void waitForStart(idle);
    },
    get size() {
      return all.size;
    },
    [Symbol.dispose]() {
      stop.abort();
      for (const idle of all) drop(idle);
    },
  };
}
