import { RdvError } from "../../protocol/errors.ts";
import type { Finding } from "./finding.ts";

/** Lets a check fail in the ways that are expected, each of which is a finding; throws the reason of `signal`. */
export async function judged(
  signal: AbortSignal,
  check: () => Promise<Finding>,
  failed: (error: RdvError) => Finding,
): Promise<Finding> {
  try {
    return await check();
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof RdvError)) throw error;
    return failed(error);
  }
}
