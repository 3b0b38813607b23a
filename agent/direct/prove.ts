import type { Socket } from "node:net";
import { proveAsAgent, proveAsClient } from "../../net/direct/prove-keys.ts";
import type { Identity } from "../../net/tls/certificate.ts";
import { secureAsAgent, secureAsClient } from "../../net/tls/end-to-end.ts";
import { limits } from "../../protocol/limits.ts";

/** Finds out whether the expected one is at the other end of a connection; gives the socket to go on with. */
export type Prove = (socket: Socket, signal: AbortSignal) => Promise<Socket>;

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
  return async (socket, signal) => {
    if (plain) return await raw(socket, proveAsAgent(socket, { identity, expect, context: offer, signal }));
    const options = { identity, expectClient: expect, signal, handshakeMs: limits.directDialMs };
    return (await secureAsAgent(socket, Buffer.alloc(0), options)).socket;
  };
}

export function proofOfClient({ identity, expect, offer, plain }: ProveOptions): Prove {
  return async (socket, signal) => {
    if (plain) return await raw(socket, proveAsClient(socket, { identity, expect, context: offer, signal }));
    const options = { identity, agentKey: expect, signal, handshakeMs: limits.directDialMs };
    return await secureAsClient(socket, Buffer.alloc(0), options);
  };
}

async function raw(socket: Socket, proven: Promise<void>): Promise<Socket> {
  try {
    await proven;
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}
