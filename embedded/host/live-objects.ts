import type { DurableModule } from "../../control/platform.ts";
import type { HostSocket } from "./host-socket.ts";

/** An object in memory. */
export interface LiveObject<V> {
  readonly module: DurableModule<V>;
  readonly sockets: Set<HostSocket>;
  readonly work: Set<Promise<unknown>>;
  /** When its last work ended. */
  usedAt: number;
}

/**
 * The objects of one class that are in memory: those with sockets or work under way, and of the idle ones those that were
 * used last. What leaves the memory comes back from storage when it is called.
 */
export interface LiveObjects<V> {
  has(name: string): boolean;
  /** The object, which stays in memory until `rest` is called and it has neither sockets nor work. */
  use(name: string): LiveObject<V>;
  /** Some work of the object has ended. */
  rest(name: string): void;
  /** Forgets objects that did nothing for `idleMs`. */
  evictIdle(): void;
  all(): LiveObject<V>[];
}

interface LiveDeps<V> {
  readonly create: (name: string) => LiveObject<V>;
  readonly now: () => number;
}

/** An idle object is kept in memory this long … */
const idleMs = 30_000;
/** … and no more of one class than so many, at about 20 KB each. */
const idleAtMost = 500;

export function createLiveObjects<V>({ create, now }: LiveDeps<V>): LiveObjects<V> {
  const used = new Map<string, LiveObject<V>>();
  /** The one that was used least lately comes first. */
  const idle = new Map<string, LiveObject<V>>();

  return {
    has: (name) => used.has(name) || idle.has(name),
    use: (name) => {
      const object = used.get(name) ?? idle.get(name) ?? create(name);
      idle.delete(name);
      used.set(name, object);
      return object;
    },
    rest: (name) => {
      const object = used.get(name);
      if (!object || object.sockets.size > 0 || object.work.size > 0) return;
      object.usedAt = now();
      used.delete(name);
      idle.set(name, object);
      const oldest = idle.size > idleAtMost ? idle.keys().next() : undefined;
      if (oldest && !oldest.done) idle.delete(oldest.value);
    },
    evictIdle: () => {
      for (const [name, object] of idle) {
        if (object.usedAt + idleMs >= now()) return;
        idle.delete(name);
      }
    },
    all: () => [...used.values(), ...idle.values()],
  };
}
