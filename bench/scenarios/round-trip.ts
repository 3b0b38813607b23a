import type { Address, Context, Scenario } from "../model.ts";
import { onOneCore } from "../load/one-core.ts";
import { percentile } from "../statistics.ts";

/** Round trip of 64 bytes over an open connection, everything on one core. */
export const roundTrip: Scenario = {
  name: "round-trip",
  kinds: ["hop", "tunnel", "modes"],
  run: async (context) => {
    const [address] = await context.running.addresses(1);
    const times = await roundTrips(context, address);
    return [50, 99].map((percent) => ({
      measure: "round trip",
      unit: "µs",
      column: `p${percent}`,
      value: percentile(times, percent) * 1000,
    }));
  },
};

/** Milliseconds of each of some thousand round trips. */
export async function roundTrips(
  { load, running, quick }: Context,
  address: Address,
): Promise<readonly number[]> {
  using _pinned = onOneCore([
    ...running.relayPids(),
    ...running.agentPids(),
    ...(running.clientPids?.() ?? []),
  ]);
  const { timesMs } = await load.client.run({
    type: "ping",
    address,
    warmup: 300,
    count: quick ? 2_000 : 5_000,
  });
  return timesMs;
}
