import type { Socket } from "node:net";
import { proveAsAgent, proveAsClient } from "../../net/direct/prove-keys.ts";
import type { Identity } from "../../net/tls/certificate.ts";
import { secureAsAgent, secureAsClient } from "../../net/tls/end-to-end.ts";
import { hostPort } from "../../protocol/api.ts";
import { limits } from "../../protocol/limits.ts";
import { plainAddress } from "../../protocol/plain-address.ts";

/** A connection whose other end has proved to be the expected one. */
export interface DirectConnection {
  /** To go on with: encrypted from end to end, unless it is plain. */
  readonly socket: Socket;
  /** `host:port` of the other end. */
  readonly peer: string;
  destroy(): void;
}

/** Finds out whether the expected one is at the other end of a connection. */
export type Prove = (socket: Socket, signal: AbortSignal) => Promise<DirectConnection>;

interface ProveOptions {
  readonly identity: Identity;
  /** Fingerprint of the other end's key. */
  readonly expect: string;
  /** The attempt's id. */
  readonly offer: string;
  /** The service encrypts by itself: only who is there is proven, and the bytes go as they are. */
  readonly plain: boolean;
}

/** The agent's side: it says nothing before the client has. */
export function proofOfAgent({ identity, expect, offer, plain }: ProveOptions): Prove {
  return async (socket, signal) =>
    await connectionOf(socket, async () => {
      if (plain) return await proveAsAgent(socket, { identity, expect, context: offer, signal });
      const options = { identity, expectClient: expect, signal, handshakeMs: limits.directDialMs };
      return (await secureAsAgent(socket, nothing, options)).socket;
    });
}

export function proofOfClient({ identity, expect, offer, plain }: ProveOptions): Prove {
  return async (socket, signal) =>
    await connectionOf(socket, async () => {
      if (plain) return await proveAsClient(socket, { identity, expect, context: offer, signal });
      const options = { identity, agentKey: expect, signal, handshakeMs: limits.directDialMs };
      return await secureAsClient(socket, nothing, options);
    });
}

const nothing = Buffer.alloc(0);

/** The connection that `prove` makes of a socket, which is destroyed when it fails; a plain one goes on as it is. */
async function connectionOf(socket: Socket, prove: () => Promise<Socket | void>): Promise<DirectConnection> {
  const peer = hostPort(plainAddress(socket.remoteAddress ?? "gone"), socket.remotePort ?? 0);
  try {
    const proven = (await prove()) ?? socket;
    return { socket: proven, peer, destroy: () => void proven.destroy() };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}
