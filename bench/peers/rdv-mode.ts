import { fileURLToPath } from "node:url";
import { createIdentity } from "../../net/tls/certificate.ts";
import { limits } from "../../protocol/limits.ts";
import type { Address, Capacity, Running } from "../model.ts";
import { ownerCredentials } from "./owner-credentials.ts";
import type { PortPicker } from "./ports.ts";
import { startProgram } from "./program.ts";
import type { Program } from "./program.ts";
import type { Mode } from "./rdv-modes.ts";
import { ownPorts } from "./rdv-tunnel.ts";
import { touch } from "./touch.ts";
import { createTempFolder } from "./temp-folder.ts";
import type { TempFolder } from "./temp-folder.ts";

const cli = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
/** What a user has: a few streams over one session. */
const capacity: Capacity = { streams: 8, idlePairs: 0, manyConnections: false };

/** `rdv up`, `rdv expose` and, where the mode has a client's end, `rdv connect`, each a process of its own. */
export async function startRdvMode(mode: Mode, ports: PortPicker, service: Address): Promise<Running> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await createTempFolder());
  const state = ["--json", "--state-dir", folder.path, "--pump", mode.pump];
  const up = ["up", ...ownPorts(ports), ...(await tlsOptions(mode, folder)), ...state];
  const relay = stack.use(startProgram(process.execPath, [cli, ...up]));
  await relay.says(/^\{.*"event":"ready".*\}$/m);
  const { control, token } = ownerCredentials(folder.path);
  const env = { RDV_CONTROL: control, RDV_TOKEN: token };
  const pool = ["--name", "bench", "--pool", String(limits.poolMax)];
  const expose = ["expose", `${service.host}:${service.port}`, ...pool, ...mode.expose, ...state];
  const agent = stack.use(startProgram(process.execPath, [cli, ...expose], { env }));
  const open = await saysAddress(agent, "address");
  const client =
    mode.connect &&
    stack.use(startProgram(process.execPath, [cli, "connect", "bench", ...mode.connect, ...state], { env }));
  const address = client ? await saysAddress(client, "local") : open;
  if (client) await checkPath(client, address, mode);
  const owned = stack.move();
  return {
    capacity,
    addresses: async (streams) =>
      await Promise.resolve([address, ...Array.from({ length: streams - 1 }, () => address)]),
    relayPids: () => [relay.pid],
    agentPids: () => [agent.pid],
    clientPids: () => (client ? [client.pid] : []),
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

/** A relay on loopback speaks TLS only when it is given a key. */
async function tlsOptions({ tls }: Mode, folder: TempFolder): Promise<string[]> {
  if (!tls) return [];
  const { key, cert } = createIdentity();
  return [
    "--tls-cert",
    await folder.write("cert.pem", cert),
    "--tls-key",
    await folder.write("key.pem", key),
  ];
}

async function saysAddress(program: Program, field: "address" | "local"): Promise<Address> {
  const [, host, port] = await program.says(new RegExp(`"event":"ready".*?"${field}":"([\\d.]+):(\\d+)"`));
  return { host: host ?? "", port: Number(port) };
}

/** A mode that fell back to another way is a problem, and no number. */
async function checkPath(client: Program, address: Address, { path }: Mode): Promise<void> {
  await touch(address);
  const [, taken] = await client.says(/"event":"paired".*?"path":"(\w+)"/);
  if (taken !== path) throw new Error(`the connection went by the way "${taken}", not "${path}"`);
}
