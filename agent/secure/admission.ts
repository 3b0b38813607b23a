import type { Socket } from "node:net";
import type { Log } from "../../net/log.ts";
import { resetSocket } from "../../net/pump-reset.ts";
import type { Identity } from "../../net/tls/certificate.ts";
import { secureAsAgent } from "../../net/tls/end-to-end.ts";
import { RdvError } from "../../protocol/errors.ts";
import type { PairedHead } from "../../protocol/handshake.ts";

interface AdmissionRules {
  /** With which encryption from end to end is ended here; without it ticketed clients come in as they are. */
  readonly identity?: Identity | undefined;
  /** Nobody comes in without a ticket of the session's owner. */
  readonly onlyTicketed: boolean;
  /** Fingerprints of the only keys that are let in; by default a client may have any. The relay cannot make one up. */
  readonly clients?: readonly string[] | undefined;
  readonly log: Log;
}

/**
 * Makes of a client's socket the one that the service is joined with; undefined when the client is not let in. Never
 * rejects: whatever goes wrong for one client ends that client's connection and not the agent.
 */
export type Enter = (socket: Socket, early: Buffer, signal: AbortSignal) => Promise<Socket | undefined>;

/** What a client has to go through before the service is dialled for it; undefined: nothing. */
export type Admission = (head: PairedHead) => Enter | undefined;

/** Makes the rules of one session: clients of `rdv connect` encrypt from end to end, plain ones come in as they are. */
export function createAdmission({ identity, onlyTicketed, clients, log }: AdmissionRules): Admission {
  const idOf = ({ client, pair }: PairedHead) => ({ client, pair });
  const refuse = (head: PairedHead, reason: string): void =>
    log.warn("a client is not let in", { ...idOf(head), reason });

  return (head) => {
    if (!head.ticketed)
      return onlyTicketed
        ? async (socket) => {
            refuse(head, "it has no ticket");
            resetSocket(socket);
            return undefined;
          }
        : undefined;
    if (identity === undefined) return undefined;
    return async (socket, early, signal) => {
      try {
        const secured = await secureAsAgent(socket, early, { identity, signal });
        if (clients === undefined || clients.includes(secured.clientKey)) return secured.socket;
        refuse(head, `its key ${secured.clientKey} is none of those that may come`);
        secured.socket.destroy();
        return undefined;
      } catch (error) {
        if (error instanceof RdvError) refuse(head, error.message);
        else if (!signal.aborted) {
          log.error("a client is not let in", { ...idOf(head), error: String(error) });
          resetSocket(socket);
        }
        return undefined;
      }
    };
  };
}
