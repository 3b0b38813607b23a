import type { MeasuredPump } from "../net/create-pump.ts";
import { createDisposalStack } from "../net/disposal-stack.ts";
import { createHostCheck } from "../net/host-check.ts";
import { createLinger } from "../net/linger.ts";
import type { Log } from "../net/log.ts";
import type { Identity } from "../net/tls/certificate.ts";
import { RdvError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import type { Ticket } from "../protocol/tickets.ts";
import { version } from "../protocol/version.ts";
import { sourceOf } from "../protocol/source-address.ts";
import { createConnectionBudget } from "./connection-budget.ts";
import { createControlLink } from "./control-link.ts";
import { connectionBudget, descriptorLimit, openDescriptors } from "./descriptors.ts";
import { createHandshakeRate } from "./handshake-rate.ts";
import { createLoadMeter } from "./load-meter.ts";
import { createLogBudget } from "./log-budget.ts";
import { createMetricsRecorder } from "./metrics.ts";
import type { RelayMetrics } from "./metrics.ts";
import { formatMetrics } from "./metrics-text.ts";
import { createPaced } from "./paced.ts";
import { createProofGate } from "./proof-gate.ts";
import { openRelayMemory } from "./relay-memory.ts";
import { createRelayReport } from "./relay-report.ts";
import { createSessions } from "./sessions.ts";
import { openSharedPort } from "./shared-port.ts";
import type { HalfRequest } from "./shared-port.ts";
import { createTicketGate } from "./ticket-gate.ts";
import { createTicketTries } from "./ticket-tries.ts";

export interface RelayNodeOptions {
  /** From `loadRelayId`. */
  readonly id: string;
  /** Local address of the shared port and of the sessions' ports. */
  readonly listenHost: string;
  /** Name or address under which agents and clients reach this relay. */
  readonly publicHost: string;
  /** 0 lets the system choose. */
  readonly sharedPort: number;
  /** Ports that sessions may have, both ends included. */
  readonly ports: { readonly from: number; readonly to: number };
  readonly region: string;
  /** Base URL of the control plane, and this relay's token there. */
  readonly control: { readonly url: string; readonly token: string };
  /** Where keys and ended sessions are kept over a restart. */
  readonly stateDir: string;
  readonly pump: MeasuredPump;
  readonly log: Log;
  /** Ends the relay's control link; disposing of the relay ends everything. */
  readonly signal?: AbortSignal;
  readonly now?: () => number;
  /** Timers, in milliseconds; the defaults are those of `limits`. */
  readonly clientWaitMs?: number;
  readonly stickyMs?: number;
  readonly drainMs?: number;
  readonly handshakeMs?: number;
  readonly lingerMs?: number;
  /** With it the shared port takes TLS, too, and agents are told to come that way. */
  readonly tls?: Identity | undefined;
  /** With it the shared port serves `/metrics` to who sends it as Bearer token; without it to nobody. */
  readonly metricsToken?: string | undefined;
  /** Connections and session listeners open at once; by default what the descriptor limit allows. */
  readonly maxConnections?: number;
}

/** A relay: accepts halves and clients, pairs them, and never dials either of them. */
export interface RelayNode extends AsyncDisposable {
  readonly id: string;
  /** The shared port as bound. */
  readonly sharedPort: number;
  /** Resolves when tickets can be checked: at the first welcome, or at once with keys kept from an earlier run. */
  readonly ready: Promise<void>;
  /** Resolves when the operator has taken this relay out of the fleet. */
  readonly removed: Promise<void>;
  metrics(): RelayMetrics;
  /** The same in the Prometheus text format. */
  metricsText(): string;
  /** Takes nothing new and resolves when the living pairs are done, or are cut after `withinMs`. */
  drain(withinMs?: number): Promise<void>;
}

/** Starts a relay. Throws `port_in_use` when the shared port is taken. */
export async function createRelayNode(options: RelayNodeOptions): Promise<RelayNode> {
  const { id, log, pump, now = Date.now } = options;
  await using stack = createDisposalStack();
  const memory = openRelayMemory(options.stateDir, log, now);
  stack.defer(async () => memory.saved());
  const metrics = createMetricsRecorder();
  const meter = stack.use(createLoadMeter(now));
  const limit = descriptorLimit();
  const budget = createConnectionBudget(options.maxConnections ?? connectionBudget(limit, openDescriptors()));
  const linger = stack.use(createLinger({ lingerMs: options.lingerMs ?? limits.lingerMs }));
  const tries = createTicketTries(now);
  const hasEnded = (session: string): boolean => memory.hasEnded(session);
  const gate = createTicketGate({
    relay: id,
    hasEnded,
    hasKeyEnded: (key) => memory.hasKeyEnded(key),
    now,
    tries,
  });
  const proofs = createProofGate({ now, tries });
  const handshakes = createHandshakeRate(now);
  let draining = false;

  const sessions = createSessions({
    pump,
    linger,
    budget,
    metrics,
    now,
    note: createLogBudget(log, now),
    clientWaitMs: options.clientWaitMs ?? limits.clientWaitMs,
    stickyMs: options.stickyMs ?? limits.stickyMs,
    drainMs: options.drainMs ?? limits.drainMs,
    listenHost: options.listenHost,
    ports: options.ports,
    onEnded: (ended) => memory.addEnded([ended]),
    onSpent: (spent) => link.tell(spent),
    onPresence: (presence) => link.tell(presence),
  });
  stack.defer(async () => {
    sessions.cut();
    await sessions.empty();
  });

  const report = createRelayReport({
    metrics,
    sessions,
    budget,
    meter,
    pump,
    maxDescriptors: limit,
  });

  // To count descriptors takes longer the more of them are open.
  const metricsText = createPaced(() => formatMetrics(id, version, report.metrics()));
  const shared = stack.use(
    await openSharedPort({
      host: options.listenHost,
      port: options.sharedPort,
      budget,
      linger,
      metrics,
      handshakeMs: options.handshakeMs ?? limits.handshakeMs,
      tls: options.tls,
      handshakes,
      onHalf,
      checkReady() {
        if (draining) throw new RdvError("draining");
        if (!memory.jwks()) throw new RdvError("unreachable", "Not welcomed by the control plane yet");
      },
      isOurs: createHostCheck(options.listenHost, [options.publicHost]),
      metricsText,
      metricsToken: options.metricsToken,
    }),
  );

  async function onHalf({ kind, token, host, proof, direct, ...arrival }: HalfRequest): Promise<void> {
    const { remoteAddress = "" } = arrival.socket;
    const source = sourceOf(remoteAddress);
    const ticket = await gate.check(token, source);
    await proofs.check(ticket, source, proof, { kind, host, ticket: token });
    handshakes.wellSpent(remoteAddress);
    if (!budget.keep(arrival.socket, ticket.owner)) throw fullForAccount();
    if (ticket.kind !== kind) throw new RdvError("forbidden", `The ticket is for the ${ticket.kind}'s half`);
    if (kind === "client") metrics.ticketedClient(direct);
    sessions[kind === "agent" ? "half" : "client"](arrival, ticket);
  }

  /** Checked like any ticket, so that the link can change nothing that a half could not. */
  async function takeTicket(token: string, take: (ticket: Ticket) => void | Promise<void>): Promise<void> {
    try {
      await take(await gate.check(token));
    } catch (error) {
      log.warn("relay: a ticket of the control plane is not taken", { error: (error as Error).message }); // the gate throws RdvError
    }
  }

  const cached = memory.jwks();
  if (cached) gate.setKeys(cached);
  const link = stack.use(
    createControlLink({
      relay: id,
      control: options.control,
      hello: {
        type: "hello",
        region: options.region,
        host: options.publicHost,
        sharedPort: shared.port,
        ports: options.ports,
        tls: options.tls?.fingerprint ?? null,
        version,
      },
      load: () => report.load(),
      open: () => sessions.open(),
      onLeave: (session) => sessions.leave(session),
      present: () => sessions.present(),
      onKeys(jwks) {
        memory.setJwks(jwks);
        gate.setKeys(jwks);
      },
      onEnded(ended) {
        memory.addEnded(ended);
        for (const { session } of ended) sessions.end(session);
      },
      onKeyEnded(ended) {
        memory.addEndedKey(ended);
        sessions.endKey(ended.key);
      },
      onPolicy: (ticket) => void takeTicket(ticket, (checked) => sessions.policyChanged(checked)),
      onRaw: (ticket) => void takeTicket(ticket, async (checked) => await sessions.openRaw(checked)),
      hasKeys: () => memory.jwks() !== undefined,
      log,
      signal: options.signal ?? new AbortController().signal,
    }),
  );
  log.info("relay: listening", { id, port: shared.port, ports: `${options.ports.from}-${options.ports.to}` });

  const owned = stack.move();
  return {
    id,
    sharedPort: shared.port,
    ready: cached ? Promise.resolve() : link.welcomed,
    removed: link.removed,
    metrics: () => report.metrics(),
    metricsText,
    async drain(withinMs = limits.drainMs) {
      draining = true;
      sessions.drain();
      const timer = setTimeout(() => sessions.cut(), withinMs);
      await sessions.empty();
      clearTimeout(timer);
    },
    [Symbol.asyncDispose]: async () => owned[Symbol.asyncDispose](),
  };
}

function fullForAccount(): RdvError {
  return new RdvError(
    "full",
    "This relay's connections are shared by accounts, and yours has its share of them",
  );
}
