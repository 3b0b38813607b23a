import { join } from "node:path";
import { isBehindProxy } from "../agent/behind-proxy.ts";
import { createConnector } from "../agent/connect/connector.ts";
import type { Connector } from "../agent/connect/connector.ts";
import { createRelayPath } from "../agent/connect/relay-path.ts";
import type { OpenPath } from "../agent/connect/path.ts";
import { createDirectFirst } from "../agent/direct/direct-first.ts";
import { createTicketSource } from "../agent/connect/ticket-source.ts";
import type { TicketSource } from "../agent/connect/ticket-source.ts";
import { createTrust } from "../agent/connect/trust.ts";
import type { Trust } from "../agent/connect/trust.ts";
import { loadIdentity } from "../net/tls/load-identity.ts";
import type { ClientTickets } from "../protocol/connect.ts";
import type { Api } from "../protocol/client.ts";
import { createProofKey } from "../protocol/proof.ts";
import { clientFrom } from "./common-options.ts";
import { directFrom } from "./direct-option.ts";
import { openKnownAgents } from "./known-agents.ts";
import { outboundFrom } from "./outbound.ts";
import type { Output } from "./output.ts";
import type { Runtime } from "./runtime.ts";
import type { SessionAddress } from "./session-address.ts";

/** The client of one session, for as long as a command runs. */
export interface Client extends AsyncDisposable {
  readonly api: Api;
  readonly source: TicketSource;
  /** Undefined with `--plain`. */
  readonly trust: Trust | undefined;
  readonly connector: Connector;
  /** Begins with what takes time, before anybody needs a connection. */
  prepare(tickets: ClientTickets): void;
}

interface ClientDeps {
  readonly address: SessionAddress;
  readonly plain: boolean;
  /** The command needs one connection and no more. */
  readonly single: boolean;
  readonly rawOptions: unknown;
  readonly stateDir: string;
  readonly output: Output;
  readonly runtime: Runtime;
}

/** Where a user's machine keeps the key with which it ends encryption, as agent and as client. */
export function identityPath(stateDir: string): string {
  return join(stateDir, "identity.pem");
}

const unchecked =
  "with --plain the agent's key is checked without relay alone; over a relay the service's own encryption has to do";

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
        session: address.session,
        pinned: address.agentKey,
        known: openKnownAgents(stateDir, credentials.control),
        onFirstSight: (name, key) => output.note(firstSight(name, key)),
      });
  const identity = loadIdentity(identityPath(stateDir));
  const relay = createRelayPath({
    identity,
    proofKey,
    outbound: { log, ...outboundFrom(rawOptions, runtime) },
  });
  const mode = directFrom(rawOptions);
  if (plain && address.agentKey !== undefined && mode !== "only") output.note(unchecked);
  const direct =
    mode === "off"
      ? undefined
      : createDirectFirst({
          only: mode === "only",
          single: deps.single,
          relay,
          api,
          controlUrl: credentials.control,
          identity,
          pinned: address.agentKey,
          log,
        });
  const goesDirect = ({ placements }: ClientTickets): boolean =>
    mode === "only" || !isBehindProxy(placements, runtime.proxies);
  const openPath: OpenPath = async (way, signal) =>
    direct !== undefined && goesDirect(way.tickets)
      ? await direct.open(way, signal)
      : await relay({ ...way, direct: "off" }, signal);
  return {
    api,
    source,
    trust,
    connector: createConnector({ source, trust, openPath, log }),
    prepare(tickets) {
      if (goesDirect(tickets)) direct?.prepare({ tickets, agentKey: trust?.expected(tickets) ?? null });
    },
    [Symbol.asyncDispose]: async () => {
      source[Symbol.dispose]();
      await direct?.[Symbol.asyncDispose]();
    },
  };
}

function firstSight(name: string, key: string): string {
  return `the agent of ${name} is seen for the first time; its key ${key} is remembered, compare it with what its machine shows`;
}
