import type { Address, Addresses, Capacity, Running } from "../model.ts";
import type { Program } from "./program.ts";

/** A program that carries any number of connections in few processes. */
export const roomy: Capacity = { streams: 100, idlePairs: 9_000, manyConnections: true };

interface Parts {
  readonly relay: readonly Program[];
  readonly agent?: readonly Program[];
  readonly address: Address;
  readonly capacity?: Capacity;
  /** Ends the programs and whatever else was made for them. */
  readonly stack: AsyncDisposableStack;
}

/** A running peer with one address for all its clients. */
export function started({ relay, agent = [], address, capacity = roomy, stack }: Parts): Running {
  const owned = stack.move();
  return {
    capacity,
    addresses: async (streams) => await Promise.resolve(repeated([address], streams)),
    relayPids: () => relay.map(({ pid }) => pid),
    agentPids: () => agent.map(({ pid }) => pid),
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

/** `count` addresses, taken in turn from a few. */
export function repeated(few: Addresses, count: number): Addresses {
  const rest = Array.from({ length: count - 1 }, (_, place) => few[(place + 1) % few.length] ?? few[0]);
  return [few[0], ...rest];
}
