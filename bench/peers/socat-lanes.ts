import type { Address, Capacity, Running } from "../model.ts";
import type { PortPicker } from "./ports.ts";
import { startProgram } from "./program.ts";
import type { Program } from "./program.ts";

/** One connection a process pair: more streams need more lanes, and a rate of connections would measure `fork`. */
const oneShot: Capacity = { streams: 8, idlePairs: 0, manyConnections: false };

/** A listen-listen socat and the connect-connect socat that has dialled it: carries one connection, then both end. */
interface Lane {
  readonly clientPort: number;
  readonly relay: Program;
  readonly agent: Program;
  used: boolean;
}

/** The tunnel of two plain socats, once for each stream. */
export function startSocatLanes(options: readonly string[], ports: PortPicker, service: Address): Running {
  let lanes: Lane[] = [];
  return {
    capacity: oneShot,
    addresses: async (streams) => {
      await end(lanes.filter(({ used }) => used));
      lanes = lanes.filter(({ used }) => !used);
      while (lanes.length < streams) lanes.push(await openLane(options, ports, service));
      const [first, ...rest] = lanes.slice(0, streams);
      if (first === undefined) throw new RangeError("a tunnel for no stream");
      return [take(first), ...rest.map(take)];
    },
    relayPids: () => lanes.map(({ relay }) => relay.pid),
    agentPids: () => lanes.map(({ agent }) => agent.pid),
    [Symbol.asyncDispose]: async () => await end(lanes),
  };
}

function take(lane: Lane): Address {
  lane.used = true;
  return { host: "127.0.0.1", port: lane.clientPort };
}

async function openLane(options: readonly string[], ports: PortPicker, service: Address): Promise<Lane> {
  const agentPort = ports.next();
  const clientPort = ports.next();
  const listen = (port: number): string => `tcp-listen:${port},bind=127.0.0.1,reuseaddr`;
  const relay = startProgram("socat", [...options, listen(agentPort), listen(clientPort)]);
  await relay.listens(agentPort);
  const agent = startProgram("socat", [
    ...options,
    `tcp:127.0.0.1:${agentPort}`,
    `tcp:${service.host}:${service.port}`,
  ]);
  await relay.listens(clientPort);
  return { clientPort, relay, agent, used: false };
}

async function end(lanes: readonly Lane[]): Promise<void> {
  await Promise.all(
    lanes.flatMap(({ relay, agent }) => [relay[Symbol.asyncDispose](), agent[Symbol.asyncDispose]()]),
  );
}
