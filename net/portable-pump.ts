import { joinPortable } from "./pump-portable-pair.ts";
import { createTurns } from "./pump-turns.ts";
import type { Joined, Pump } from "./pump.ts";

/** The pump that runs everywhere: Node streams in the caller's thread. TLS and other Duplex sockets are welcome too. */
export function createPortablePump(): Pump & { size(): number } {
  const pairs = new Set<Joined>();
  const turns = createTurns();
  return {
    kind: "portable",
    join(a, b, options) {
      const joined = joinPortable(a, b, turns, options);
      pairs.add(joined);
      void joined.done.then(() => pairs.delete(joined));
      return joined;
    },
    size: () => pairs.size,
    async [Symbol.asyncDispose]() {
      const living = [...pairs];
      for (const pair of living) pair.cut();
      await Promise.all(living.map((pair) => pair.done));
    },
  };
}
