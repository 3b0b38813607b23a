import type { Socket } from "node:net";
import { listenTcp } from "../net/listen.ts";
import type { TcpListener } from "../net/listen.ts";
import { RdvError } from "../protocol/errors.ts";
import type { ConnectionBudget } from "./connection-budget.ts";
import type { RelaySession } from "./session.ts";

interface SessionPortsOptions {
  readonly budget: Pick<ConnectionBudget, "hold">;
  readonly listenHost: string;
  /** Ports that sessions may have, both ends included. */
  readonly ports: { readonly from: number; readonly to: number };
}

/** The ports of all sessions of a relay, one session each. */
export interface SessionPorts {
  /** Listens for a session of this account. Throws `port_unavailable`, `port_in_use` or `full`. */
  open(
    port: number,
    session: RelaySession,
    account: string,
    onConnection: (socket: Socket) => void,
  ): Promise<TcpListener>;
}

/** Makes the table of who listens where. */
export function createSessionPorts({
  budget,
  listenHost,
  ports: { from, to },
}: SessionPortsOptions): SessionPorts {
  const holders = new Map<number, RelaySession>();

  function claim(port: number, session: RelaySession): () => void {
    if (port < from || port > to)
      throw new RdvError("port_unavailable", `Port ${port} is outside this relay's range ${from}-${to}`);
    const holder = holders.get(port);
    if (holder && holder !== session) {
      if (!holder.idle) throw new RdvError("port_unavailable", `Port ${port} serves another session`);
      // The control plane leases a port to one session at a time, so the newer lease is right.
      holder.tell({ type: "rested" });
    }
    holders.set(port, session);
    return () => {
      if (holders.get(port) === session) holders.delete(port);
    };
  }

  return {
    async open(port, session, account, onConnection) {
      const undo = [claim(port, session)];
      const release = (): void => undo.splice(0).forEach((step) => step());
      try {
        undo.push(budget.hold(account));
        const listener = await listenTcp({ host: listenHost, port, onConnection });
        const close = async (): Promise<void> => {
          release();
          await listener[Symbol.asyncDispose]();
        };
        return { ...listener, [Symbol.asyncDispose]: close };
      } catch (error) {
        release();
        throw error;
      }
    },
  };
}
