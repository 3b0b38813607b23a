import type { Address, Peer, Running } from "../model.ts";
import type { PortPicker } from "./ports.ts";
import { probeProgram } from "./program.ts";
import { createTempFolder } from "./temp-folder.ts";
import { startTunnelPrograms } from "./tunnel-programs.ts";

/** rathole over plain TCP. */
export function ratholePeer(ports: PortPicker): Peer {
  return {
    name: "rathole",
    kinds: ["tunnel"],
    probe: async () => await probeProgram("rathole", ["--version"], /(\d+\.\d+\.\d+)/),
    start: async (_kind, service) => await start(ports.next(), ports.next(), service),
  };
}

async function start(relayPort: number, clientPort: number, service: Address): Promise<Running> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await createTempFolder());
  const server = await folder.write(
    "server.toml",
    `[server]
bind_addr = "127.0.0.1:${relayPort}"
default_token = "bench"
[server.services.bench]
bind_addr = "127.0.0.1:${clientPort}"
`,
  );
  const client = await folder.write(
    "client.toml",
    `[client]
remote_addr = "127.0.0.1:${relayPort}"
default_token = "bench"
[client.services.bench]
local_addr = "${service.host}:${service.port}"
`,
  );
  return await startTunnelPrograms({
    relay: ["rathole", "--server", server],
    relayPort,
    agent: ["rathole", "--client", client],
    clientPort,
    stack: stack.move(),
  });
}
