/** Exit code of a command that was interrupted. */
export const interruptedExit = 130;

/** One Ctrl-C comes more than once where npm or the launcher passes on what the terminal has sent to everybody. */
const echoMs = 300;

interface SignalSource {
  on(signal: "SIGINT" | "SIGTERM" | "SIGHUP", handler: () => void): unknown;
  exit(code: number): never;
}

interface InterruptDeps {
  readonly now?: () => number;
  /** The first signal is a Ctrl-C, which the terminal has shown on the line that it was on. */
  readonly onCtrlC?: () => void;
}

interface Interrupts {
  readonly signal: AbortSignal;
  /** Ends everything cleanly, as the first signal does. */
  readonly stop: () => void;
}

/** Turns the first Ctrl-C (or SIGTERM, SIGHUP) into an abort that ends everything cleanly; the second ends the process at once. */
export function createInterrupts(
  source: SignalSource,
  { now = () => performance.now(), onCtrlC = () => {} }: InterruptDeps = {},
): Interrupts {
  const controller = new AbortController();
  let first = 0;
  const stop = (): void => {
    if (controller.signal.aborted) return;
    first = now();
    controller.abort();
  };
  const onSignal = (): void => {
    if (!controller.signal.aborted) stop();
    else if (now() - first >= echoMs) source.exit(interruptedExit);
  };
  source.on("SIGINT", () => {
    if (!controller.signal.aborted) onCtrlC();
    onSignal();
  });
  source.on("SIGTERM", onSignal);
  source.on("SIGHUP", onSignal);
  return { signal: controller.signal, stop };
}
