import type { Socket } from "node:net";
import { listenTcp } from "../../net/listen.ts";
import type { Log } from "../../net/log.ts";
import type { Joined, Leg, Pump, PumpOutcome } from "../../net/pump.ts";
import { hostPort } from "../../protocol/api.ts";
import { RdvError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import type { PairOutcome } from "../../protocol/outcomes.ts";
import { readEarly } from "../early.ts";
import type { Connector } from "./connector.ts";
import type { OpenedPath } from "./path.ts";

interface Connection {
  readonly pair: string;
  /** Of the program that came to the local port. */
  readonly client: string;
  readonly path: OpenedPath["path"];
  /** See `OpenedPath`. */
  readonly why: string;
}

export type ForwardEvent =
  | ({ readonly type: "paired" } & Connection)
  | ({
      readonly type: "closed";
      /** From the client to the service. */
      readonly bytesIn: number;
      readonly bytesOut: number;
      readonly outcome: PairOutcome;
    } & Connection)
  /** A program came and could not be served. */
  | { readonly type: "failed"; readonly client: string; readonly error: RdvError };

interface ForwardDeps {
  /** 0: any free port. */
  readonly local: { readonly host: string; readonly port: number };
  readonly connector: Connector;
  readonly pump: Pump;
  readonly log: Log;
  readonly onEvent: (event: ForwardEvent) => void;
}

/** A local port that leads to a session's service. Disposing cuts what lives. */
export interface Forward extends AsyncDisposable {
  /** `host:port` as bound. */
  readonly address: string;
}

/** Serves a local port: every program that comes gets a connection of its own, `limits.pairsPerSession` at once. */
export async function startForward(deps: ForwardDeps): Promise<Forward> {
  const { connector, pump, onEvent, log } = deps;
  const stop = new AbortController();
  const serving = new Set<Promise<void>>();
  const living = new Set<Joined>();

  const listener = await listenTcp({ ...deps.local, log, onConnection: accept });

  function accept(socket: Socket): void {
    if (stop.signal.aborted || serving.size >= limits.pairsPerSession) return void socket.resetAndDestroy();
    const served = serve(socket);
    serving.add(served);
    void served.finally(() => serving.delete(served));
  }

  async function serve(socket: Socket): Promise<void> {
    const client = hostPort(socket.remoteAddress ?? "gone", socket.remotePort ?? 0);
    const early = readEarly(socket, Buffer.alloc(0));
    const lifetime = AbortSignal.any([stop.signal, early.gone]);
    try {
      const opened = await connector.open(lifetime);
      await joined({ socket, ...early.take() }, opened, client);
    } catch (error) {
      socket.resetAndDestroy();
      const known = error instanceof RdvError;
      // Whatever it is that went wrong for one program, the others are still served.
      if (known) onEvent({ type: "failed", client, error });
      else if (!lifetime.aborted)
        onEvent({ type: "failed", client, error: new RdvError("failed", String(error), { cause: error }) });
    }
  }

  async function joined(
    near: Leg,
    { socket, early, pair, path, why }: OpenedPath,
    client: string,
  ): Promise<void> {
    const connection = { pair, client, path, why };
    const bytes = pump.join(near, { socket, early, ended: false });
    living.add(bytes);
    if (stop.signal.aborted) bytes.cut();
    onEvent({ type: "paired", ...connection });
    const { outcome, aToB, bToA } = await bytes.done;
    living.delete(bytes);
    onEvent({ type: "closed", ...connection, bytesIn: aToB, bytesOut: bToA, outcome: pairOutcome(outcome) });
  }

  return {
    address: listener.address,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await listener[Symbol.asyncDispose]();
      for (const one of living) one.cut();
      await Promise.all(serving);
    },
  };
}

/** The pump's words in those of a pair, where leg a is the client and leg b leads to the agent. */
function pairOutcome(outcome: PumpOutcome): PairOutcome {
  if (outcome === "reset_by_a") return "reset_by_client";
  return outcome === "reset_by_b" ? "reset_by_agent" : outcome;
}
