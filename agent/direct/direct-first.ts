import type { Log } from "../../net/log.ts";
import type { Identity } from "../../net/tls/certificate.ts";
import type { DirectAnswer, DirectOffer } from "../../protocol/connect.ts";
import { abortable } from "../abortable.ts";
import type { Approach, OpenPath, OpenedPath } from "../connect/path.ts";
import { askPlaces } from "./ask-places.ts";
import { createDirectPath } from "./direct-path.ts";
import type { DirectPath, DirectTaken } from "./direct-path.ts";
import { becauseOf, missError } from "./miss-errors.ts";

interface DirectFirstDeps {
  /** Throw what a client is to be told instead of taking the relay. */
  readonly only: boolean;
  /** Only one connection is needed: nothing is made ready behind it. */
  readonly single: boolean;
  readonly relay: OpenPath;
  readonly api: { offerDirect(idOrName: string, offer: DirectOffer): Promise<DirectAnswer> };
  /** Of the control plane, which may tell how this machine is seen. */
  readonly controlUrl: string;
  readonly identity: Identity;
  /** The agent's key that the user named, for connections that are not encrypted; those have it from the approach. */
  readonly pinned: string | undefined;
  readonly log: Log;
  readonly random?: () => number;
}

/** The way to an agent: directly where that works, else over the relay. Disposing gives up what is not in use. */
export interface DirectFirst extends AsyncDisposable {
  readonly open: OpenPath;
  /** Begins to make the first connection before anybody needs it. */
  prepare(approach: Approach): void;
}

/** Makes the way. Each agent that comes, with a key or a session of its own, is met anew. */
export function createDirectFirst(deps: DirectFirstDeps): DirectFirst {
  let current: { readonly agent: string; readonly path: DirectPath } | undefined;
  let approach: Approach | undefined;

  function pathTo(next: Approach): DirectPath {
    approach = next;
    const { tickets, agentKey } = next;
    const agent = `${tickets.session} ${agentKey}`;
    if (current?.agent === agent) return current.path;
    void current?.path[Symbol.asyncDispose]();
    const path = createDirectPath({
      offer: async (offer) => await deps.api.offerDirect(tickets.session, offer),
      places: () => askPlaces(approach?.tickets.placements ?? [], deps.controlUrl),
      identity: deps.identity,
      agentKey: agentKey ?? deps.pinned ?? null,
      plain: agentKey === null,
      only: deps.only,
      log: deps.log,
      random: deps.random ?? Math.random,
    });
    current = { agent, path };
    return path;
  }

  async function takeFrom(path: DirectPath, signal: AbortSignal): Promise<DirectTaken> {
    try {
      return await takeFor(path, signal);
    } finally {
      if (deps.single) {
        if (current?.path === path) current = undefined;
        await path[Symbol.asyncDispose]();
      }
    }
  }

  return {
    prepare: (next) => void pathTo(next),
    open: async (next, signal) => {
      const taken = await takeFrom(pathTo(next), signal);
      if (taken.type === "direct") return openedBy(taken);
      if (deps.only) throw missError(taken.why);
      const opened = await deps.relay({ ...next, direct: taken.why }, signal);
      return { ...opened, why: `${opened.why}; not directly, because ${becauseOf(taken.why)}` };
    },
    [Symbol.asyncDispose]: async () => await current?.path[Symbol.asyncDispose](),
  };
}

/** A connection that comes when nobody waits any more is closed. */
async function takeFor(path: DirectPath, signal: AbortSignal): Promise<DirectTaken> {
  const taking = path.take();
  try {
    return await abortable(taking, signal);
  } catch (error) {
    taking.then((taken) => taken.type === "direct" && taken.connection.destroy()).catch(ignore);
    throw error;
  }
}

function ignore(): void {}

function openedBy({ connection, offer }: Extract<DirectTaken, { type: "direct" }>): OpenedPath {
  const { socket, peer } = connection;
  socket.pause();
  return { socket, early: Buffer.alloc(0), path: "direct", why: `directly, ${peer}`, pair: offer };
}
