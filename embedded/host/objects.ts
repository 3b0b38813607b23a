import type { DurableModule, Namespace, ObjectContext, Remote } from "../../control/platform.ts";
import type { Services } from "../../control/services.ts";
import type { Log } from "../../net/log.ts";
import { createAbsentContext } from "./absent-object.ts";
import type { Alarms } from "./alarms.ts";
import type { Database } from "./database.ts";
import type { HostSocket } from "./host-socket.ts";
import { createHostSocket } from "./host-socket.ts";
import { createLiveObjects } from "./live-objects.ts";

/** All objects of one class in this process. */
export interface ObjectClass<V> extends Namespace<V> {
  runAlarm(name: string): Promise<void>;
  /** Every open socket of every object. */
  sockets(): HostSocket[];
  /** Forgets objects that did nothing for a while; they come back from storage when they are called. */
  evictIdle(): void;
  /** Resolves when no object has work under way; says whether one had. */
  settled(): Promise<boolean>;
}

export interface ObjectClassDeps<V> {
  readonly className: string;
  readonly create: (ctx: ObjectContext, services: Services) => DurableModule<V>;
  /** The calls that may begin an object, or `all`: to every other one an object that stores nothing is not even made. */
  readonly begunBy: readonly (keyof V | "fetch")[] | "all";
  readonly services: () => Services;
  readonly database: Database;
  readonly alarms: () => Alarms;
  /** Takes the socket of an upgrade request; see upgrades.ts. */
  readonly adopt: (request: Request, socket: HostSocket) => Response;
  readonly log: Log;
  readonly now?: () => number;
}

export function createObjectClass<V extends object>(deps: ObjectClassDeps<V>): ObjectClass<V> {
  const { className, create, begunBy, services, database, log, now = Date.now } = deps;
  const live = createLiveObjects<V>({
    now,
    create: (name) => {
      const sockets = new Set<HostSocket>();
      return { module: create(contextOf(name, sockets), services()), sockets, work: new Set(), usedAt: 0 };
    },
  });
  let absent: DurableModule<V> | undefined;
  const keyOf = (name: string): string => `${className}/${name}`;
  const begins = (verb: string): boolean =>
    begunBy === "all" || begunBy.some((beginner) => beginner === verb);

  /** Runs a call: an object that stores nothing is not made for one that cannot begin it. */
  async function call<T>(
    name: string,
    verb: string,
    task: (module: DurableModule<V>) => T | Promise<T>,
  ): Promise<T> {
    if (begins(verb) || live.has(name) || database.holds(keyOf(name))) return await perform(name, task);
    absent ??= create(createAbsentContext(className), services());
    return await task(absent);
  }

  /** Runs one event of an object; the object stays in memory meanwhile. */
  async function perform<T>(name: string, task: (module: DurableModule<V>) => T | Promise<T>): Promise<T> {
    const object = live.use(name);
    // As between machines, the called object starts after the caller's current step, never inside it.
    const work = Promise.resolve().then(() => task(object.module));
    object.work.add(work);
    try {
      return await work;
    } finally {
      object.work.delete(work);
      live.rest(name);
    }
  }

  function contextOf(name: string, sockets: Set<HostSocket>): ObjectContext {
    const { alarms, adopt } = deps;
    const key = keyOf(name);
    return {
      kv: database.kv(key),
      transaction: (run) => database.transaction(run),
      setAlarm: (at) => alarms().set(key, at),
      erase: async () => {
        alarms().set(key, null);
        database.erase(key);
      },
      accept: (request) => {
        const socket = createHostSocket({
          onMessage: (text) => deliver(name, socket, (module) => module.message?.(socket, text)),
          onClosed: () => {
            sockets.delete(socket);
            void deliver(name, socket, (module) => module.closed?.(socket));
          },
        });
        sockets.add(socket);
        return { socket, response: adopt(request, socket) };
      },
      sockets: () => [...sockets].filter((socket) => socket.isOpen()),
      // Every socket that an object of this host knows came from `accept`.
      heardAt: (socket) => (socket as HostSocket).heardAt(),
    };
  }

  /** A socket's event has nobody who waits for it: a failure is logged and ends the connection. */
  async function deliver(
    name: string,
    socket: HostSocket,
    task: (module: DurableModule<V>) => Promise<void> | undefined,
  ): Promise<void> {
    await perform(name, (module) => task(module)).catch((error: unknown) => {
      log.error("control: an object failed on a socket's event", {
        object: keyOf(name),
        error: describe(error),
      });
      socket.close(1_011, "internal error");
    });
  }

  function stubOf(name: string): Remote<V> {
    const verbCall =
      (verb: string) =>
      async (input: unknown): Promise<unknown> => {
        const copy = structuredClone(input);
        const answer = await call(name, verb, async (module) => await verbOf(module.verbs, verb)(copy));
        return structuredClone(answer);
      };
    const fetch = async (request: Request): Promise<Response> =>
      await call(
        name,
        "fetch",
        async (module) => (await module.fetch?.(request)) ?? new Response(null, { status: 404 }),
      );
    // The proxy answers exactly the names that Remote<V> declares: V's verbs, and fetch.
    return new Proxy(
      {},
      {
        get: (_target, verb) =>
          verb === "fetch" ? fetch : typeof verb === "string" && verb !== "then" ? verbCall(verb) : undefined,
      },
    ) as Remote<V>;
  }

  return {
    getByName: stubOf,
    runAlarm: async (name) => await perform(name, async (module) => await module.alarm?.()),
    sockets: () => live.all().flatMap((object) => [...object.sockets]),
    evictIdle: () => live.evictIdle(),
    settled: async () => {
      for (let waited = false; ; waited = true) {
        const work = live.all().flatMap((object) => [...object.work]);
        if (work.length === 0) return waited;
        await Promise.allSettled(work);
      }
    },
  };
}

/** Only an object's own verbs can be called, never what it inherits. */
function verbOf(verbs: object, verb: string): (input: unknown) => unknown {
  const found: unknown = Object.hasOwn(verbs, verb) ? Reflect.get(verbs, verb) : undefined;
  if (typeof found !== "function") throw new TypeError(`The object has no verb ${verb}`);
  // Verbs are functions of one argument (control/platform.ts).
  return found as (input: unknown) => unknown;
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
