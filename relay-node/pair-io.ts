import type { Socket } from "node:net";
import type { PumpOutcome } from "../net/pump.ts";
import type { PairOutcome } from "../protocol/outcomes.ts";

/** Writes and waits until the kernel has it all; false when the connection was lost before. */
export async function writeAll(socket: Socket, text: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.write(text, "latin1", (error) => resolve(!error));
  return await promise;
}

/** The pump's words in those of a relay, where leg a is the client and leg b the agent. */
export function toPairOutcome(outcome: PumpOutcome): PairOutcome {
  if (outcome === "reset_by_a") return "reset_by_client";
  return outcome === "reset_by_b" ? "reset_by_agent" : outcome;
}
