import type { Counts } from "./count-object.ts";
import { Counted, countShards } from "./count-object.ts";
import type { ControlEnv } from "./services.ts";

/** Counts what happened to a session; a count that is lost is no reason to fail. */
export async function count({ COUNTS }: ControlEnv, session: string, what: Counted): Promise<void> {
  // The characters of an id are random, so its last one spreads well.
  const shard = (session.codePointAt(session.length - 1) ?? 0) % countShards;
  await COUNTS.getByName(shardName(shard))
    .add(what)
    .catch(() => {});
}

/** What was counted since the control plane was set up. */
export async function readCounts({ COUNTS }: ControlEnv): Promise<Required<Counts>> {
  const shards = Array.from({ length: countShards }, (_, shard) => COUNTS.getByName(shardName(shard)));
  const all = await Promise.all(shards.map(async (shard) => await shard.counts(null)));
  const sums = Counted.options.map((what) => [what, all.reduce((sum, one) => sum + (one[what] ?? 0), 0)]);
  // The entries have every key of the list.
  return Object.fromEntries(sums) as Required<Counts>;
}

function shardName(shard: number): string {
  return `counts/${shard}`;
}
