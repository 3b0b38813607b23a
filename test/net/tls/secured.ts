import type { Socket } from "node:net";
import { createIdentity } from "../../../net/tls/certificate.ts";
import { secureAsAgent, secureAsClient } from "../../../net/tls/end-to-end.ts";
import { createWireMaker } from "../pump/sockets.ts";

export const agentIdentity = createIdentity();
export const clientIdentity = createIdentity();

export const none = Buffer.alloc(0);
/** Nobody aborts. */
export const always: AbortSignal = new AbortController().signal;

/** Both ends of an encrypted connection, and the TCP sockets below them. */
export interface Secured {
  readonly client: Socket;
  readonly agent: Socket;
  readonly below: { readonly client: Socket; readonly agent: Socket };
}

/** Makes encrypted connections over loopback; with `layers` 2 the encryption is inside another one. */
export async function createSecuredMaker(): Promise<
  AsyncDisposable & { secured: (layers?: number) => Promise<Secured> }
> {
  const maker = await createWireMaker();
  return {
    async secured(layers = 1) {
      const wire = await maker.wire();
      wire.inner.on("error", () => {});
      let [client, agent] = [wire.outer, wire.inner];
      for (let layer = 0; layer < layers; layer += 1) {
        const [served, connected] = await Promise.all([
          secureAsAgent(agent, none, { identity: agentIdentity, signal: always }),
          secureAsClient(client, none, {
            identity: clientIdentity,
            agentKey: agentIdentity.fingerprint,
            signal: always,
          }),
        ]);
        [client, agent] = [connected, served.socket];
      }
      return { client, agent, below: { client: wire.outer, agent: wire.inner } };
    },
    [Symbol.asyncDispose]: async () => await maker[Symbol.asyncDispose](),
  };
}
