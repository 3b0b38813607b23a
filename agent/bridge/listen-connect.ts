import type { Socket } from "node:net";
import { dialTcp } from "../../net/dial.ts";
import { listenTcp } from "../../net/listen.ts";
import { RdvError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { readEarly } from "../early.ts";
import { createTargetWatch } from "../target-watch.ts";
import { createBridgePairs } from "./bridge-pairs.ts";
import type { BridgeDeps } from "./bridge-pairs.ts";

/** A port that is forwarded. */
export interface Forwarder extends AsyncDisposable {
  /** `host:port` as bound. */
  readonly address: string;
  readonly port: number;
  /** Resolves when `once` is served or the forwarder was disposed of; rejects when `once` cannot be served. */
  readonly done: Promise<void>;
}

/** Joins each client that comes to the listening side with a connection to the other one. */
export async function createForwarder(deps: BridgeDeps): Promise<Forwarder> {
  const { a, b, log } = deps;
  const [listen, connect] = a.type === "listen" ? [a, b] : [b, a];
  if (listen.type !== "listen" || connect.type !== "connect")
    throw new RdvError("usage", "A forwarder needs one tcp-listen: and one tcp: address");
  const stop = new AbortController();
  const signal = AbortSignal.any([deps.signal, stop.signal]);
  const done = Promise.withResolvers<void>();
  const pairs = createBridgePairs(deps.pump, deps.onEvent);
  const watch = createTargetWatch(
    connect.label,
    "clients are turned away; check that something listens there",
    log,
  );
  const serving = new Set<Promise<void>>();
  done.promise.catch(() => {});

  const listener = await listenTcp({ host: listen.host, port: listen.port, log, onConnection: accept });

  function accept(client: Socket): void {
    if (signal.aborted || serving.size >= limits.pairsPerSession) return void client.resetAndDestroy();
    if (deps.once) void listener[Symbol.asyncDispose]();
    if (deps.once && serving.size > 0) return void client.resetAndDestroy();
    const served = serve(client);
    serving.add(served);
    void served.finally(() => serving.delete(served));
  }

  /** With `once`, a failure to dial is told through `done`. */
  async function serve(client: Socket): Promise<void> {
    const early = readEarly(client, Buffer.alloc(0));
    const lifetime = AbortSignal.any([signal, early.gone]);
    try {
      const service = await dialTcp({ host: connect.host, port: connect.port, signal: lifetime });
      watch.answered();
      const near = { socket: client, ...early.take() };
      const far = { socket: service, early: Buffer.alloc(0), ended: false };
      await (listen === a ? pairs.join(near, far) : pairs.join(far, near)).done;
    } catch (error) {
      client.resetAndDestroy();
      if (!(error instanceof RdvError)) {
        if (!lifetime.aborted) throw error;
      } else {
        watch.refused(error);
        if (deps.once) done.reject(error);
      }
    }
    if (deps.once) done.resolve();
  }

  async function close(): Promise<void> {
    stop.abort();
    await listener[Symbol.asyncDispose]();
    await pairs.cut();
    await Promise.all(serving);
    done.resolve();
  }

  const onAbort = (): void => void close();
  deps.signal.addEventListener("abort", onAbort, { once: true });
  if (deps.signal.aborted) onAbort();
  return {
    address: listener.address,
    port: listener.port,
    done: done.promise,
    [Symbol.asyncDispose]: async () => {
      deps.signal.removeEventListener("abort", onAbort);
      await close();
    },
  };
}
