import { limits } from "../../protocol/limits.ts";
import { fail, ok, skip, warn } from "./finding.ts";
import type { Finding } from "./finding.ts";

/** A clock that is kept by NTP is off by milliseconds; the header shows whole seconds. */
const noticeableSeconds = 5;

/** Whether this clock and the control plane's agree. `skewSeconds` is how far the other one is ahead. */
export function judgeClock(skewSeconds: number | undefined): Finding {
  if (skewSeconds === undefined) return skip("clock", "the control plane did not tell its time");
  const apart = Math.abs(skewSeconds);
  if (apart < 1.5) return ok("clock", "agrees with the control plane's to the second");
  const detail = `${apart.toFixed(0)} s ${skewSeconds > 0 ? "behind" : "ahead of"} the control plane's`;
  if (apart > limits.ticketSkewSeconds)
    return fail(
      "clock",
      detail,
      `tickets and proofs fail by more than ${limits.ticketSkewSeconds} s. ${remedy}`,
    );
  return apart > noticeableSeconds ? warn("clock", detail, remedy) : ok("clock", detail);
}

const remedy =
  "Set this machine's clock: `timedatectl set-ntp true`, or the time settings of the system; if it is right, tell the control plane's operator";
