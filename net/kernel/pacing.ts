import type { Socket } from "node:net";
import { isLoopback } from "../../protocol/plain-address.ts";
import type { Libc } from "./libc.ts";

/**
 * Takes the pacing off `fd`, the descriptor of `socket`, when both its ends are on this machine. Congestion control that
 * paces (BBR, the default on many a server) sets a timer for every few segments, and on a way without a queue that could
 * fill that is all it does: half the throughput for twice the CPU time. A socket that has begun like that is paced for
 * good, but by reno far faster than anybody sends. Every kernel lets every user choose reno (tcp(7), TCP_CONGESTION and
 * tcp_allowed_congestion_control); where it is forbidden all stays as it was.
 */
export function unpaceLocal(libc: Libc, socket: Socket, fd: number): void {
  if (staysHere(socket)) libc.setCongestionControl(fd, reno);
}

/** Whoever dials an address of their own machine has that address, too. */
function staysHere({ localAddress, remoteAddress = "" }: Socket): boolean {
  return localAddress === remoteAddress || isLoopback(remoteAddress);
}

const reno = Buffer.from("reno");
