import { join } from "node:path";
import { createConnector } from "../agent/connect/connector.ts";
import type { Connector } from "../agent/connect/connector.ts";
import { createRelayPath } from "../agent/connect/relay-path.ts";
import { createTicketSource } from "../agent/connect/ticket-source.ts";
import type { TicketSource } from "../agent/connect/ticket-source.ts";
import { createTrust } from "../agent/connect/trust.ts";
import type { Trust } from "../agent/connect/trust.ts";
import { loadIdentity } from "../net/tls/load-identity.ts";
import type { Api } from "../protocol/client.ts";
import { createProofKey } from "../protocol/proof.ts";
import { clientFrom } from "./common-options.ts";
import { openKnownAgents } from "./known-agents.ts";
import { outboundFrom } from "./outbound.ts";
import type { Output } from "./output.ts";
import type { Runtime } from "./runtime.ts";
import type { SessionAddress } from "./session-address.ts";

/** The client of one session, for as long as a command runs. */
export interface Client extends Disposable {
  readonly api: Api;
  readonly source: TicketSource;
  /** Undefined with `--plain`. */
  readonly trust: Trust | undefined;
  readonly connector: Connector;
}

interface ClientDeps {
  readonly address: SessionAddress;
  readonly plain: boolean;
  readonly rawOptions: unknown;
  readonly stateDir: string;
  readonly output: Output;
  readonly runtime: Runtime;
}

/** Where a user's machine keeps the key with which it ends encryption, as agent and as client. */
export function identityPath(stateDir: string): string {
  return join(stateDir, "identity.pem");
}

/** Puts together what a command needs to connect to a session. */
export async function openClient(deps: ClientDeps): Promise<Client> {
  const { address, plain, rawOptions, stateDir, output, runtime } = deps;
  const { api, credentials } = clientFrom(rawOptions, runtime, runtime.signal);
  const { log } = output;
  const proofKey = plain ? await createProofKey() : undefined;
  const request = proofKey ? { proof: proofKey.thumbprint } : {};
  const source = createTicketSource({ api, session: address.session, request, log });
  const trust = plain
    ? undefined
    : createTrust({
        pinned: address.agentKey,
        known: openKnownAgents(stateDir, credentials.control),
        onFirstSight: (name, key) => output.note(firstSight(name, key)),
      });
  const openPath = createRelayPath({
    identity: loadIdentity(identityPath(stateDir)),
    proofKey,
    outbound: { log, ...outboundFrom(rawOptions, runtime) },
  });
  const connector = createConnector({ source, trust, openPath, log });
  return { api, source, trust, connector, [Symbol.dispose]: () => source[Symbol.dispose]() };
}

function firstSight(name: string, key: string): string {
  return `the agent of ${name} is seen for the first time; its key ${key} is remembered, compare it with what its machine shows`;
}
