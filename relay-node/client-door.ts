import type { Socket } from "node:net";
import { isLoopback } from "../protocol/plain-address.ts";
import { sourceOf } from "../protocol/source-address.ts";
import type { AllowList } from "./allow-list.ts";
import { addressOf, arrivalOf } from "./arrival.ts";
import type { RelaySession, SessionDeps } from "./session.ts";
import { createSourceRate } from "./source-rate.ts";

type ClientDoorDeps = Pick<SessionDeps, "budget" | "metrics" | "note" | "linger" | "now">;

/** Lets a plain client into its session, or turns it away. */
export type ClientDoor = (socket: Socket, id: string, session: RelaySession) => void;

/** Makes the door through which the plain clients of all sessions of a relay come. */
export function createClientDoor({ budget, metrics, note, linger, now }: ClientDoorDeps): ClientDoor {
  const mayConnect = createSourceRate({ now });

  function refusal(socket: Socket, id: string, session: RelaySession) {
    const ip = socket.remoteAddress;
    if (ip === undefined) return "gone";
    if (!letsIn((from) => session.allows(from), socket)) return "not_allowed";
    const source = sourceOf(ip);
    // Its own rate first: who has used that up must not use up the session's, too.
    if (!isLoopback(ip) && !mayConnect(`${id} ${source}`)) return "too_many";
    return session.mayConnect(source) ? undefined : "too_many";
  }

  return (socket, id, session) => {
    if (!budget.admit(socket)) return;
    metrics.accepted("session");
    const outcome = refusal(socket, id, session);
    if (!outcome)
      return session.clientArrived(arrivalOf({ socket, head: Buffer.alloc(0), wantsContinue: false }, false));
    metrics.unpaired("client", outcome);
    if (outcome === "gone") return void socket.destroy();
    note("relay: client not served", { session: id, outcome, peer: addressOf(socket) });
    linger.close(socket);
  };
}

/** Whether an allow-list names a client. Who dials a machine's own address from that machine comes from this address, not from loopback. */
export function letsIn(
  allows: AllowList,
  { remoteAddress: ip, localAddress }: Pick<Socket, "remoteAddress" | "localAddress">,
): boolean {
  return ip !== undefined && (allows(ip) || (ip === localAddress && allows("127.0.0.1")));
}
