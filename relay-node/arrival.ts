import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import { hostPort } from "../protocol/api.ts";
import { plainAddress } from "../protocol/plain-address.ts";
import { sourceOf } from "../protocol/source-address.ts";

/** A connection that came to a session, before it is watched. */
export interface Arrival {
  /** Unique in this relay; a client's id becomes the id of its pair. */
  readonly id: string;
  readonly socket: Socket;
  /** Peer as `ip:port`. */
  readonly address: string;
  /** What the peer's address counts as: see `sourceOf`. */
  readonly source: string;
  /** Bytes read behind the request head. */
  readonly head: Buffer;
  /** It sent an HTTP request and is answered in HTTP; a plain client is not. */
  readonly http: boolean;
  /** It wants to hear `100 Continue` when it waits. */
  readonly wantsContinue: boolean;
}

/** A connection on the shared port whose ticket was found good, or one on a session's port. */
export type Connection = Pick<Arrival, "socket" | "head" | "wantsContinue">;

/** Gives a connection its id: 48 random bits of a UUID, for which Node draws its random bytes many at a time. */
export function arrivalOf({ socket, head, wantsContinue }: Connection, http: boolean): Arrival {
  const [id, address] = [randomUUID().slice(-12), addressOf(socket)];
  return { id, socket, address, source: sourceOf(socket.remoteAddress ?? ""), head, http, wantsContinue };
}

/** The peer as `ip:port`; a peer that has gone already has no address any more. */
export function addressOf({ remoteAddress = "0.0.0.0", remotePort = 0 }: Socket): string {
  return hostPort(plainAddress(remoteAddress), remotePort);
}
