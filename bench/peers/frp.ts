import type { Address, Peer, Probe, Running } from "../model.ts";
import type { PortPicker } from "./ports.ts";
import { findProgram, probeProgram } from "./program.ts";
import { createTempFolder } from "./temp-folder.ts";
import { startTunnelPrograms } from "./tunnel-programs.ts";

/** frp (0.52 or newer, which reads TOML) with its defaults: one multiplexed connection. */
export function frpPeer(ports: PortPicker): Peer {
  return {
    name: "frp",
    kinds: ["tunnel"],
    probe,
    start: async (_kind, service) => await start(ports.next(), ports.next(), service),
  };
}

async function probe(): Promise<Probe> {
  if (findProgram("frpc") === undefined) return { installed: false, reason: "frpc is not on the PATH" };
  return await probeProgram("frps", ["--version"], /(\d+\.\d+\.\d+)/);
}

async function start(relayPort: number, clientPort: number, service: Address): Promise<Running> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await createTempFolder());
  const server = await folder.write(
    "frps.toml",
    `bindAddr = "127.0.0.1"
bindPort = ${relayPort}
proxyBindAddr = "127.0.0.1"
auth.token = "bench"
`,
  );
  const client = await folder.write(
    "frpc.toml",
    `serverAddr = "127.0.0.1"
serverPort = ${relayPort}
auth.token = "bench"
[[proxies]]
name = "bench"
type = "tcp"
localIP = "${service.host}"
localPort = ${service.port}
remotePort = ${clientPort}
`,
  );
  return await startTunnelPrograms({
    relay: ["frps", "-c", server],
    relayPort,
    agent: ["frpc", "-c", client],
    clientPort,
    stack: stack.move(),
  });
}
