/** How many times as long as it took to make a value nobody makes it again. */
const restFactor = 20;

/**
 * A value that anybody may ask for, and that takes time to make: it is made when it is asked for, and given again until
 * twenty times the time has passed that it took. So those who ask all the time cost a twentieth of the time at most.
 */
export function createPaced<T>(make: () => T, now: () => number = () => performance.now()): () => T {
  let last: { readonly value: T; readonly until: number } | undefined;
  return () => {
    if (last && now() < last.until) return last.value;
    const startedAt = now();
    const value = make();
    const endedAt = now();
    last = { value, until: endedAt + restFactor * (endedAt - startedAt) };
    return value;
  };
}
