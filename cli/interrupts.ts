/** Exit code of a command that was interrupted. */
export const interruptedExit = 130;

interface SignalSource {
  on(signal: "SIGINT" | "SIGTERM" | "SIGHUP", handler: () => void): unknown;
  exit(code: number): never;
}

/** Turns the first Ctrl-C (or SIGTERM, SIGHUP) into an abort that ends everything cleanly; the second ends the process at once. */
export function createInterrupts(source: SignalSource): { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) source.exit(interruptedExit);
    controller.abort();
  };
  source.on("SIGINT", onSignal);
  source.on("SIGTERM", onSignal);
  source.on("SIGHUP", onSignal);
  return { signal: controller.signal };
}
