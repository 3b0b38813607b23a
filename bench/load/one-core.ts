import { availableParallelism } from "node:os";
import { threadsOf, withDescendants } from "../process-usage.ts";
import { setAffinity } from "./libc.ts";

/**
 * Puts these processes and this one on one and the same core until disposed of. In a virtual machine a wake-up of
 * another core costs 35 µs where one on the same core costs 2, and the scheduler chooses by luck: left alone, a round
 * trip tells where the threads happened to sit, not what the relay costs.
 */
export function onOneCore(roots: readonly number[]): Disposable {
  const all = Array.from({ length: availableParallelism() }, (_, core) => core);
  const pin = (cores: readonly number[]): void => {
    for (const thread of threadsOf(withDescendants([...roots, process.pid]))) setAffinity(thread, cores);
  };
  /* This process's descendants are all the peers; they sleep, so that pinning them too changes nothing. */
  pin(all.slice(-1));
  return { [Symbol.dispose]: () => pin(all) };
}
