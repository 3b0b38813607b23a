import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { loadSecrets } from "../../embedded/secrets.ts";
import { createNetwork, uplink } from "../fixtures/network.ts";
import type { Machine } from "../fixtures/network.ts";
import { describe, startProcess } from "../fixtures/processes.ts";
import type { Running } from "../fixtures/processes.ts";
import { RdvEvent, runRdv, startRdv } from "../fixtures/rdv.ts";
import type { Rdv } from "../fixtures/rdv.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { until } from "../fixtures/within.ts";

/** One relay of the fleet, on a machine of its own; it can be killed and started again. */
export interface FleetRelay {
  readonly name: string;
  readonly region: string;
  readonly machine: Machine;
  id(): string;
  /** What it logged since it was started last. */
  stderr(): string;
  start(): Promise<void>;
  /** As a power cut would, but that the kernel closes its sockets. */
  killHard(): Promise<void>;
}

/** What an agent said. */
const AgentEvent = z.looseObject({
  event: z.string(),
  agent: z.number().default(-1),
  /** Milliseconds since 1970. */
  at: z.number().default(0),
  address: z.string().default(""),
  addresses: z.array(z.string()).default([]),
  moved: z.string().optional(),
});
export type AgentEvent = z.infer<typeof AgentEvent>;

/** Agents in one process behind a NAT. */
export interface Agents extends AsyncDisposable {
  readonly events: readonly AgentEvent[];
  /** The newest `ready` of each agent. */
  ready(): Map<number, AgentEvent>;
  /** Waits until the newest `ready` of every agent passes. */
  allReady(ms: number, passes?: (event: AgentEvent) => boolean): Promise<void>;
}

export interface ProbeResult {
  readonly id: number;
  readonly ok: boolean;
  readonly ms: number;
  readonly error?: string | undefined;
}

/** A client behind a NAT of its own. */
export interface Prober {
  /** One connection to an echo service. */
  probe(address: string, ms?: number): Promise<ProbeResult>;
  /** A connection that stays open; the result sends over it again. */
  hold(address: string): Promise<() => Promise<ProbeResult>>;
}

/** An internet with a control plane, relays `eu-1`, `eu-2` and `us-1`, an agents' machine and a client, each NATed. */
export interface Fleet extends AsyncDisposable {
  readonly control: Machine;
  readonly url: string;
  readonly token: string;
  /** The router that hides the agents: their address, seen from a relay. */
  readonly agentRouter: Machine;
  readonly relays: readonly FleetRelay[];
  relay(name: string): FleetRelay;
  /** The relay that a client's address names. */
  relayAt(address: string): FleetRelay;
  startControl(): Promise<void>;
  killControl(): Promise<void>;
  expose(count: number, request?: object): Promise<Agents>;
  readonly prober: Prober;
  /** Runs `rdv ARGS --json` beside the control plane and gives what it says. */
  rdv(...args: readonly string[]): Promise<readonly RdvEvent[]>;
  /** Drops every packet between two public machines, both ways, until the result is called. */
  partition(one: Machine, other: Machine): Promise<() => Promise<void>>;
}

const controlPort = 8_787;
/** Fewer than `limits.sourceConnectsPerSecond`, or the relay turns the client away. */
const probeEveryMs = 60;
const place = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Builds the network and starts everything but the agents. */
export async function openFleet(ports = "20000-21999"): Promise<Fleet> {
  await using held = new AsyncDisposableStack();
  const folder = held.use(await createTempDir()).path;
  const { internet, [Symbol.asyncDispose]: closeNetwork } = await createNetwork();
  held.defer(closeNetwork);
  // Processes may be started later too, so they have a stack of their own.
  const processes = held.use(new AsyncDisposableStack());
  const control = await internet.host();
  const agentRouter = await internet.nat();
  const agent = await agentRouter.host();
  const client = await (await internet.nat()).host();
  mkdirSync(join(folder, "control"), { mode: 0o700 });
  const { signingKeys, ownerToken: token } = loadSecrets(join(folder, "control"));
  const url = `http://${control.address}:${controlPort}`;
  const secrets = {
    RDV_SIGNING_KEY: JSON.stringify(signingKeys[0]?.jwk),
    RDV_ADMIN_KEY_HASH: createHash("sha256").update(token).digest("hex"),
  };

  let running: Running | undefined;
  const startControl = async (): Promise<void> => {
    const args = [place("control-process.ts"), join(folder, "control"), control.address, String(controlPort)];
    const env = { ...process.env, ...secrets };
    running = processes.use(startProcess(process.execPath, args, { prefix: control.prefix, env }));
    await running.says("http://", 30_000);
  };
  await startControl();

  const openRelay = async (name: string): Promise<FleetRelay> => {
    const machine = await internet.host();
    const region = name.replace(/-\d+$/, "");
    const args = ["relay", "--control", url, "--region", region, "--public-host", machine.address];
    let rdv: Rdv | undefined;
    let id = "";
    const start = async (): Promise<void> => {
      const options = { prefix: machine.prefix, stateDir: join(folder, name), env: { RDV_TOKEN: token } };
      rdv = processes.use(startRdv([...args, "--ports", ports], options));
      id = String((await rdv.event("ready", { command: "relay" }))["id"]);
    };
    await start();
    return {
      name,
      region,
      machine,
      id: () => id,
      stderr: () => rdv?.process.output().stderr ?? "",
      start,
      killHard: async () => await rdv?.killHard(),
    };
  };
  const relays = await Promise.all(["eu-1", "eu-2", "us-1"].map(openRelay));
  const find = (passes: (relay: FleetRelay) => boolean, what: string): FleetRelay => {
    const found = relays.find(passes);
    if (!found) throw new Error(`no relay ${what}`);
    return found;
  };

  const prober = createProber(
    processes.use(
      startProcess(process.execPath, [place("prober-process.ts")], {
        prefix: client.prefix,
        keepInput: true,
      }),
    ),
  );
  const stack = held.move();
  return {
    control,
    url,
    token,
    agentRouter,
    relays,
    relay: (name) => find((one) => one.name === name, name),
    relayAt: (address) => find((one) => address.startsWith(`${one.machine.address}:`), `at ${address}`),
    startControl,
    killControl: async () => {
      running?.kill("SIGKILL");
      await running?.exited;
    },
    expose: async (count, request = {}) => await startAgents(agent, url, token, count, request),
    prober,
    rdv: async (...args) => {
      const env = { RDV_TOKEN: token };
      const options = { prefix: control.prefix, stateDir: join(folder, "operator"), env };
      const { code, stdout, stderr } = await runRdv([...args, "--control", url, "--json"], options);
      if (code !== 0) throw new Error(`rdv ${args.join(" ")} ended with ${code}: ${stderr}`);
      return stdout.split("\n").flatMap((line) => (line === "" ? [] : [RdvEvent.parse(JSON.parse(line))]));
    },
    partition,
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}

async function startAgents(
  { prefix }: Machine,
  url: string,
  token: string,
  count: number,
  request: object,
): Promise<Agents> {
  const args = [place("agents-process.ts"), url, String(count), JSON.stringify(request)];
  const running = startProcess(process.execPath, args, { prefix, env: { ...process.env, RDV_TOKEN: token } });
  const events: AgentEvent[] = [];
  const newest = new Map<number, AgentEvent>();
  createInterface({ input: running.stdout }).on("line", (line) => {
    const event = AgentEvent.parse(JSON.parse(line));
    events.push(event);
    if (event.event === "ready") newest.set(event.agent, event);
  });
  const agents: Agents = {
    events,
    ready: () => newest,
    allReady: async (ms, passes = () => true) => {
      try {
        await until(ms, "every agent is ready", () =>
          newest.size === count && [...newest.values()].every(passes) ? true : undefined,
        );
      } catch (error) {
        const passed = [...newest.values()].filter(passes).length;
        throw new Error(`${passed} of ${count} are ready: ${describe("agents", running)}`, { cause: error });
      }
    },
    [Symbol.asyncDispose]: async () => await running[Symbol.asyncDispose](),
  };
  await agents.allReady(20_000 + count * 60);
  return agents;
}

function createProber(running: Running): Prober {
  const waiting = new Map<number, (result: ProbeResult) => void>();
  let orders = 0;
  createInterface({ input: running.stdout }).on("line", (line) => {
    const result = JSON.parse(line) as ProbeResult; // written by prober-process.ts
    waiting.get(result.id)?.(result);
    waiting.delete(result.id);
  });
  const order = async (id: number, what: object): Promise<ProbeResult> => {
    const { promise, resolve } = Promise.withResolvers<ProbeResult>();
    waiting.set(id, resolve);
    running.stdin.write(`${JSON.stringify({ id, ...what })}\n`);
    return await promise;
  };
  const connect = async (address: string, more: object): Promise<ProbeResult> => {
    const [host, port] = address.split(":");
    return await order((orders += 1), { host, port: Number(port), ms: 10_000, ...more });
  };
  return {
    probe: async (address, ms = 10_000) => {
      await delay(probeEveryMs);
      return await connect(address, { ms });
    },
    hold: async (address) => {
      const first = await connect(address, { hold: true });
      if (!first.ok) throw new Error(`no connection to hold: ${first.error ?? ""}`);
      return async () => await order(first.id, { again: true, ms: 10_000 });
    },
  };
}

async function partition(one: Machine, other: Machine): Promise<() => Promise<void>> {
  const rules = (way: string): string[] => [
    `${way} INPUT -i ${uplink} -s ${other.address} -j DROP`,
    `${way} OUTPUT -o ${uplink} -d ${other.address} -j DROP`,
  ];
  await one.iptables(...rules("-I"));
  return async () => await one.iptables(...rules("-D"));
}
