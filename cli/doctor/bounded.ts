import { RdvError } from "../../protocol/errors.ts";

/** One step of a check has this long: what takes longer is broken for whoever waits for a connection. */
export const stepMs = 5_000;

/**
 * Runs one step, at most `ms` long; its signal ends with it. A step that does not heed the signal, such as a name
 * lookup of the system's, is left behind. Throws `timeout`, or the reason of `signal`.
 */
export async function bounded<T>(
  signal: AbortSignal,
  step: (signal: AbortSignal) => Promise<T>,
  ms: number = stepMs,
): Promise<T> {
  signal.throwIfAborted();
  const { promise: over, reject } = Promise.withResolvers<never>();
  const end = new AbortController();
  const timer = setTimeout(() => reject(new RdvError("timeout", `no answer within ${ms / 1_000} s`)), ms);
  const onAbort = (): void => reject(signal.reason as Error); // an AbortError, or what the caller gave
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([step(end.signal), over]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    end.abort();
  }
}
