import { fileURLToPath } from "node:url";
import type { Credentials } from "../../cli/credentials.ts";
import { limits } from "../../protocol/limits.ts";
import type { Address, Addresses, Running } from "../model.ts";
import { ownerCredentials } from "./owner-credentials.ts";
import type { PortPicker } from "./ports.ts";
import { startProgram } from "./program.ts";
import type { Program } from "./program.ts";
import type { PumpChoice } from "./rdv.ts";
import { repeated, roomy } from "./started.ts";
import { createTempFolder } from "./temp-folder.ts";

const cli = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
const manySessions = fileURLToPath(new URL("rdv-many-sessions.ts", import.meta.url));

interface Plan {
  readonly pump: PumpChoice;
  readonly service: Address;
  readonly control: Credentials;
}

/** `rdv up` and one `rdv expose`; for more pairs than one session carries, a second agent with as many sessions as needed. */
export async function startRdvTunnel(
  pump: PumpChoice,
  ports: PortPicker,
  service: Address,
): Promise<Running> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await createTempFolder());
  const up = ["up", "--json", ...ownPorts(ports), "--state-dir", folder.path, "--pump", pump];
  const relay = stack.use(startProgram(process.execPath, [cli, ...up]));
  await relay.says(/^\{.*"event":"ready".*\}$/m);
  const plan: Plan = { pump, service, control: ownerCredentials(folder.path) };
  const agent = stack.use(startExpose(plan));
  const one = await exposedAt(agent);
  const agents = [agent];
  let many: Addresses = [one];
  const owned = stack.move();
  return {
    capacity: roomy,
    addresses: async (streams) => {
      if (streams <= limits.pairsPerSession) return repeated([one], streams);
      if (many.length * limits.pairsPerSession < streams) {
        const sessions = Math.ceil(streams / limits.pairsPerSession);
        const second = owned.use(startMany(plan, sessions));
        agents.push(second);
        many = await exposedAtMany(second, sessions);
      }
      return repeated(many, streams);
    },
    relayPids: () => [relay.pid],
    agentPids: () => agents.map(({ pid }) => pid),
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

function startExpose({ pump, service, control }: Plan): Program {
  const target = `${service.host}:${service.port}`;
  const options = ["--json", "--name", "bench", "--pool", String(limits.poolMax), "--pump", pump];
  const env = { RDV_CONTROL: control.control, RDV_TOKEN: control.token };
  return startProgram(process.execPath, [cli, "expose", target, ...options], { env });
}

function startMany({ pump, service, control }: Plan, sessions: number): Program {
  const env = { RDV_CONTROL: control.control, RDV_TOKEN: control.token };
  const args = [manySessions, pump, String(service.port), String(sessions)];
  return startProgram(process.execPath, args, { env });
}

async function exposedAt(agent: Program): Promise<Address> {
  const [, host, port] = await agent.says(/"event":"ready".*?"address":"([\d.]+):(\d+)"/);
  return { host: host ?? "", port: Number(port) };
}

async function exposedAtMany(agent: Program, sessions: number): Promise<Addresses> {
  const [, list] = await agent.says(new RegExp(`^ready((?: [\\d.]+:\\d+){${sessions}})$`, "m"));
  const [first, ...rest] = (list ?? "").trim().split(" ").map(parseAddress);
  if (first === undefined) throw new Error("the agent of many sessions named none");
  return [first, ...rest];
}

function parseAddress(text: string): Address {
  const [host = "", port] = text.split(":");
  return { host, port: Number(port) };
}

/** Options of `rdv up`: ports that no other peer of this run uses, two for the servers and a hundred for sessions. */
export function ownPorts(ports: PortPicker): string[] {
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
