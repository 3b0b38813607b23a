import { at } from "./at.ts";
import type { Libc } from "./libc.ts";
import { linux } from "./linux.ts";
import type { SharedTable } from "./shared-table.ts";
import { limits } from "../../protocol/limits.ts";

/**
 * How long the peers of a pair may leave the kernel without an answer (TCP_USER_TIMEOUT): bytes that were not
 * acknowledged while it moves some, keepalive probes while it is silent. For those the option takes the place of the
 * number of probes (tcp(7)), so that a dead peer of a silent pair would be found as late as a stalled reader.
 */
export interface UserTimeouts {
  /** A pair is new. */
  begin(slot: number): void;
  /** A pair has moved bytes, or holds some. */
  busy(slot: number): void;
  /** A pair moves nothing; what a peer has not acknowledged yet keeps the time of a busy one. */
  silent(slot: number): void;
}

interface UserTimeoutDeps {
  readonly libc: Pick<Libc, "setTcpOption" | "unacknowledged">;
  readonly table: Pick<SharedTable, "sockets" | "stallMs">;
}

/** The timeouts of one worker's pairs: a busy one's is its stall timer, which bounds bytes that have not left yet. */
export function createUserTimeouts({ libc, table }: UserTimeoutDeps): UserTimeouts {
  const { sockets, stallMs } = table;
  const isSilent = new Uint8Array(stallMs.length);
  return {
    begin: (slot) => set(slot, 0),
    busy(slot) {
      if (at(isSilent, slot) === 1) set(slot, 0);
    },
    silent(slot) {
      if (at(isSilent, slot) === 0 && !owes(2 * slot) && !owes(2 * slot + 1)) set(slot, 1);
    },
  };

  function owes(leg: number): boolean {
    return libc.unacknowledged(at(sockets, leg)) > 0;
  }

  function set(slot: number, silent: 0 | 1): void {
    isSilent[slot] = silent;
    const busyMs = Math.max(at(stallMs, slot), leastMs);
    const ms = silent === 1 ? Math.min(busyMs, limits.peerLostMs) : busyMs;
    for (const leg of [2 * slot, 2 * slot + 1])
      libc.setTcpOption(at(sockets, leg), linux.TCP_USER_TIMEOUT, ms);
  }
}

/** It is never shorter than this: on a bad line a retransmission may take seconds. */
const leastMs = 30_000;
