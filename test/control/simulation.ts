import { createAccountObject } from "../../control/account-object.ts";
import type {
  DurableModule,
  Namespace,
  ObjectContext,
  ObjectSocket,
  Remote,
} from "../../control/platform.ts";
import { createRegionObject } from "../../control/region-object.ts";
import { createRelayObject } from "../../control/relay-object.ts";
import type { ControlEnv, Services } from "../../control/services.ts";
import { createServices } from "../../control/services.ts";
import { createSessionObject } from "../../control/session-object.ts";
import { adminToken } from "./control-under-test.ts";
import type { ControlSecrets } from "./control-under-test.ts";

/** The control plane's real objects in memory, on a clock that only `advance` moves; every call is counted. */
export interface Simulation {
  readonly env: ControlEnv;
  readonly services: Services;
  now(): number;
  /** Moves the clock, runs the alarms that fall due in order, and waits until nothing is under way. */
  advance(ms: number): Promise<void>;
  /** Opens a socket to an object, as the app does for an upgrade request. */
  connect(className: keyof Objects, name: string, path: string): Promise<SimulatedSocket>;
  /** Calls, messages and alarms of each object since the last time that this was asked, by `CLASS/name`. */
  takeCounts(): Map<string, number>;
  /** Drops every object from memory; what it stored and its sockets stay. */
  evictAll(): void;
}

/** The peer's end of a socket. */
export interface SimulatedSocket {
  readonly received: unknown[];
  send(signal: object): Promise<void>;
  /** The connection breaks. */
  drop(): Promise<void>;
  readonly isOpen: boolean;
}

interface Objects {
  readonly SESSIONS: unknown;
  readonly RELAYS: unknown;
  readonly REGIONS: unknown;
  readonly ACCOUNTS: unknown;
}

interface Stored {
  readonly kv: Map<string, string>;
  readonly sockets: Set<OpenSocket>;
  alarm: number | null;
  module: DurableModule<object> | undefined;
}

interface OpenSocket extends ObjectSocket {
  heard: number | null;
  open: boolean;
  readonly received: unknown[];
}

export function createSimulation(secrets: ControlSecrets, random: () => number): Simulation {
  let clock = 1_800_000_000_000;
  const objects = new Map<string, Stored>();
  const work = new Set<Promise<unknown>>();
  let counts = new Map<string, number>();
  const accepted: OpenSocket[] = [];

  function storedOf(key: string): Stored {
    const known = objects.get(key);
    if (known) return known;
    const fresh: Stored = { kv: new Map(), sockets: new Set(), alarm: null, module: undefined };
    objects.set(key, fresh);
    return fresh;
  }

  function contextOf(key: string): ObjectContext {
    const stored = storedOf(key);
    const { kv, sockets } = stored;
    return {
      kv: {
        get: (name) => parse(kv.get(name)),
        put: (name, value) => void kv.set(name, JSON.stringify(value)),
        delete: (name) => kv.delete(name),
        list: ({ prefix, startAfter = "", limit = Infinity }) =>
          [...kv.keys()]
            .filter((name) => name.startsWith(prefix) && name > startAfter)
            .sort()
            .slice(0, limit)
            .map((name): [string, unknown] => [name, parse(kv.get(name))]),
      },
      transaction: (run) => run(),
      setAlarm: (at) => void (stored.alarm = at),
      erase: async () => {
        kv.clear();
        stored.alarm = null;
      },
      accept: () => {
        const socket = createSocket(sockets);
        accepted.push(socket);
        return { socket, response: new Response(null, { status: 200 }) };
      },
      sockets: () => [...sockets],
      // Every socket of an object came from `accept`.
      heardAt: (socket) => (socket as OpenSocket).heard,
    };
  }

  async function perform<T>(
    key: string,
    task: (module: DurableModule<object>) => T | Promise<T>,
  ): Promise<T> {
    const stored = storedOf(key);
    counts.set(key, (counts.get(key) ?? 0) + 1);
    const create = makers[key.slice(0, key.indexOf("/")) as keyof typeof makers]; // keys begin with the class
    stored.module ??= create(contextOf(key), services);
    const { module } = stored;
    const running = Promise.resolve().then(() => task(module));
    const settled = running.catch(() => {});
    work.add(settled);
    try {
      return await running;
    } finally {
      work.delete(settled);
    }
  }

  async function settle(): Promise<void> {
    while (work.size > 0) await Promise.all(work);
  }

  function namespace<V>(className: string): Namespace<V> {
    return {
      getByName: (name) =>
        // The proxy answers every verb of the class, as the hosts' stubs do.
        new Proxy(
          {},
          {
            get: (_target, verb) =>
              typeof verb === "string" && verb !== "then"
                ? async (input: unknown) =>
                    copy(await perform(`${className}/${name}`, (module) => call(module, verb, copy(input))))
                : undefined,
          },
        ) as Remote<V>,
    };
  }

  const makers = {
    SESSIONS: createSessionObject as (ctx: ObjectContext, services: Services) => DurableModule<object>,
    RELAYS: createRelayObject as (ctx: ObjectContext, services: Services) => DurableModule<object>,
    REGIONS: createRegionObject as (ctx: ObjectContext, services: Services) => DurableModule<object>,
    ACCOUNTS: createAccountObject as (ctx: ObjectContext, services: Services) => DurableModule<object>,
  };
  const env: ControlEnv = {
    ...secrets,
    SESSIONS: namespace("SESSIONS"),
    RELAYS: namespace("RELAYS"),
    ACCOUNTS: namespace("ACCOUNTS"),
    REGIONS: namespace("REGIONS"),
    INVITATIONS: namespace("INVITATIONS"),
    GUESSES: namespace("GUESSES"),
    COUNTS: namespace("COUNTS"),
  };
  const services: Services = { ...createServices(env), now: () => clock, random };

  async function connect(className: keyof Objects, name: string, path: string): Promise<SimulatedSocket> {
    const key = `${className}/${name}`;
    const headers = { authorization: `Bearer ${adminToken}`, upgrade: "websocket" };
    const socket = await perform(key, async (module) => {
      accepted.length = 0;
      await module.fetch?.(new Request(`http://control.test${path}`, { headers }));
      return accepted.at(-1);
    });
    if (!socket) throw new Error(`${key} did not accept`);
    return {
      received: socket.received,
      send: async (signal) => {
        if (socket.open) await perform(key, (module) => module.message?.(socket, JSON.stringify(signal)));
      },
      drop: async () => {
        if (!storedOf(key).sockets.delete(socket)) return;
        socket.open = false;
        await perform(key, (module) => module.closed?.(socket));
      },
      get isOpen() {
        return socket.open;
      },
    };
  }

  return {
    env,
    services,
    now: () => clock,
    advance: async (ms) => {
      const end = clock + ms;
      await settle();
      for (;;) {
        let due: [string, Stored] | undefined;
        for (const entry of objects)
          if ((entry[1].alarm ?? Infinity) <= Math.min(end, due?.[1].alarm ?? Infinity)) due = entry;
        if (!due) break;
        const [key, stored] = due;
        clock = Math.max(clock, stored.alarm ?? clock);
        stored.alarm = null;
        await perform(key, (module) => module.alarm?.());
        await settle();
      }
      clock = end;
    },
    connect,
    takeCounts: () => {
      const taken = counts;
      counts = new Map();
      return taken;
    },
    evictAll: () => {
      for (const stored of objects.values()) stored.module = undefined;
    },
  };

  function createSocket(sockets: Set<OpenSocket>): OpenSocket {
    let attachment: unknown = null;
    const received: unknown[] = [];
    const socket: OpenSocket = {
      received,
      heard: null,
      open: true,
      send: (text) => void received.push(JSON.parse(text)),
      close: () => {
        socket.open = false;
        sockets.delete(socket);
      },
      serializeAttachment: (value) => void (attachment = copy(value)),
      deserializeAttachment: () => copy(attachment),
    };
    // The heartbeat that the platform answers without the object: always there while the socket is.
    Object.defineProperty(socket, "heard", { get: () => (socket.open ? clock : null) });
    sockets.add(socket);
    return socket;
  }
}

function call(module: DurableModule<object>, verb: string, input: unknown): unknown {
  const found: unknown = Reflect.get(module.verbs, verb);
  if (typeof found !== "function") throw new TypeError(`no verb ${verb}`);
  // Verbs are functions of one argument (control/platform.ts).
  return (found as (input: unknown) => unknown)(input);
}

function copy<T>(value: T): T {
  return value === undefined ? value : structuredClone(value);
}

function parse(text: string | undefined): unknown {
  return text === undefined ? undefined : JSON.parse(text);
}
