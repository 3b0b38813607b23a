import { fileURLToPath } from "node:url";
import type { Address, Capacity, Kind, Peer, Probe, Running } from "../model.ts";
import { limits } from "../../protocol/limits.ts";
import { version } from "../../protocol/version.ts";
import type { PortPicker } from "./ports.ts";
import { startProgram } from "./program.ts";
import type { Program } from "./program.ts";
import { repeated, started } from "./started.ts";
import { createTempFolder } from "./temp-folder.ts";

type PumpKind = "kernel" | "portable";

/** Idle pairs of a tunnel: a few sessions full. */
const tunnelCapacity: Capacity = {
  streams: 100,
  idlePairs: 4 * limits.pairsPerSession,
  manyConnections: true,
};

/** rdv itself, as its users start it: `rdv bridge` for one hop, `rdv up` and `rdv expose` for the tunnel. */
export function rdvPeer(pump: PumpKind, ports: PortPicker): Peer {
  return {
    name: `rdv ${pump}`,
    kinds: ["hop", "tunnel"],
    probe: async () => await probe(pump),
    start: async (kind: Kind, service: Address) =>
      kind === "hop" ? await startHop(pump, ports.next(), service) : await startTunnel(pump, ports, service),
  };
}

async function probe(pump: PumpKind): Promise<Probe> {
  if (pump === "kernel" && process.platform !== "linux")
    return await Promise.resolve({ installed: false, reason: "the kernel pump is for Linux" });
  return { installed: true, version };
}

async function startHop(pump: PumpKind, port: number, service: Address): Promise<Running> {
  await using stack = new AsyncDisposableStack();
  const relay = stack.use(
    startRdv([
      "bridge",
      `tcp-listen:127.0.0.1:${port}`,
      `tcp:${service.host}:${service.port}`,
      "--pump",
      pump,
    ]),
  );
  await relay.listens(port);
  return started({ relay: [relay], address: { host: "127.0.0.1", port }, stack });
}

/** `rdv up`, and an `rdv expose` for every 256 pairs that are wanted, since that is what one session carries. */
async function startTunnel(pump: PumpKind, ports: PortPicker, service: Address): Promise<Running> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await createTempFolder());
  const env = { RDV_STATE_DIR: folder.path };
  const relay = stack.use(startRdv(["up", ...ownPorts(ports), "--pump", pump], env));
  await relay.says(/"event":"ready"/);
  const first = stack.use(await openSession(0, pump, service, env));
  const owned = stack.move();
  const sessions = [first];
  return {
    capacity: tunnelCapacity,
    addresses: async (streams) => {
      while (sessions.length * limits.pairsPerSession < streams)
        sessions.push(owned.use(await openSession(sessions.length, pump, service, env)));
      return repeated([first.address, ...sessions.slice(1).map(({ address }) => address)], streams);
    },
    relayPids: () => [relay.pid],
    agentPids: () => sessions.map(({ agent }) => agent.pid),
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

interface OpenSession extends AsyncDisposable {
  readonly agent: Program;
  readonly address: Address;
}

async function openSession(
  serial: number,
  pump: PumpKind,
  service: Address,
  env: Readonly<Record<string, string>>,
): Promise<OpenSession> {
  await using stack = new AsyncDisposableStack();
  const options = ["--name", `bench-${serial}`, "--pool", String(limits.poolMax), "--pump", pump];
  const agent = stack.use(startRdv(["expose", `${service.host}:${service.port}`, ...options], env));
  const ready = await agent.says(/"event":"ready".*?"address":"([\d.]+):(\d+)"/);
  const owned = stack.move();
  return {
    agent,
    address: { host: ready[1] ?? "", port: Number(ready[2]) },
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

/** Ports that no other peer of this run uses: two for the servers, and a hundred for sessions. */
function ownPorts(ports: PortPicker): string[] {
  const [control, relay] = [ports.next(), ports.next()];
  const from = 20_000 + (relay % 100) * 100;
  return [
    "--control-port",
    String(control),
    "--relay-port",
    String(relay),
    "--ports",
    `${from}-${from + 99}`,
  ];
}

function startRdv(args: readonly string[], env: Readonly<Record<string, string>> = {}): Program {
  const main = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
  return startProgram(process.execPath, [main, ...args, "--json"], { env });
}
