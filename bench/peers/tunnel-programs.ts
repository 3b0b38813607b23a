import type { Address, Capacity, Running } from "../model.ts";
import { startProgram } from "./program.ts";
import { roomy, started } from "./started.ts";

/** A command line: program and arguments. */
export type Command = readonly [string, ...string[]];

interface TunnelPrograms {
  readonly relay: Command;
  /** The relay's own port; the agent is started when it listens. */
  readonly relayPort: number;
  readonly agent: Command;
  /** The port for clients, on 127.0.0.1; the tunnel is up when it listens. */
  readonly clientPort: number;
  readonly capacity?: Capacity;
  /** Things made for the programs, such as a folder of configuration; taken over. */
  readonly stack?: AsyncDisposableStack;
}

/** Starts a relay, then its agent, and waits until clients can dial. */
export async function startTunnelPrograms(plan: TunnelPrograms): Promise<Running> {
  await using stack = plan.stack?.move() ?? new AsyncDisposableStack();
  const [relayProgram, ...relayArgs] = plan.relay;
  const [agentProgram, ...agentArgs] = plan.agent;
  const relay = stack.use(startProgram(relayProgram, relayArgs));
  await relay.listens(plan.relayPort);
  const agent = stack.use(startProgram(agentProgram, agentArgs));
  await agent.listens(plan.clientPort);
  const address: Address = { host: "127.0.0.1", port: plan.clientPort };
  return started({ relay: [relay], agent: [agent], address, capacity: plan.capacity ?? roomy, stack });
}
