import type { Socket } from "node:net";

/** A connection that came to a session, before it is watched. */
export interface Arrival {
  /** Unique in this relay; a client's id becomes the id of its pair. */
  readonly id: string;
  readonly socket: Socket;
  /** Peer as `ip:port`. */
  readonly address: string;
  /** Bytes read behind the request head. */
  readonly head: Buffer;
  /** It sent an HTTP request and is answered in HTTP; a plain client is not. */
  readonly http: boolean;
  /** It wants to hear `100 Continue` when it waits. */
  readonly wantsContinue: boolean;
}
