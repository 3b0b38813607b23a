import type { GuessCounts } from "./guess-object.ts";
import { guessShards } from "./guess-object.ts";
import { RdvError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { sourcesOf } from "../protocol/source-address.ts";
import type { ControlEnv } from "./services.ts";

/**
 * Looks up what a code opens, for one who came from `address`. Only codes that open nothing are counted against the
 * source; throws `too_many` when it has none left, before anybody looks at the code.
 */
export async function lookUp<T>(
  { GUESSES }: ControlEnv,
  address: string,
  open: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const sources = sourcesOf(address);
  // The widest range decides, so that one keeper sees all that its owner tries.
  const keeper = GUESSES.getByName(shardName(shardOf(sources.at(-1) ?? "")));
  if (!(await keeper.take(sources)))
    throw new RdvError("too_many", "Too many wrong codes came from your address; wait a minute", {
      retryAfterMs: limits.guessRate.everyMs * 2,
    });
  const found = await open();
  if (found !== undefined) await keeper.giveBack(sources);
  return found;
}

/** Wrong codes and refused tries of all sources, since the control plane was set up. */
export async function countGuesses({ GUESSES }: ControlEnv): Promise<GuessCounts> {
  const shards = Array.from({ length: guessShards }, (_, shard) => GUESSES.getByName(shardName(shard)));
  const all = await Promise.all(shards.map(async (shard) => await shard.counts(null)));
  return all.reduce((a, b) => ({ wrong: a.wrong + b.wrong, refused: a.refused + b.refused }));
}

/** FNV-1a, which spreads short texts well (http://www.isthe.com/chongo/tech/comp/fnv/). */
function shardOf(source: string): number {
  let hash = 0x811c9dc5;
  for (const character of source) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return hash % guessShards;
}

function shardName(shard: number): string {
  return `guesses/${shard}`;
}
