import type { Peer } from "../model.ts";
import type { PortPicker } from "./ports.ts";
import { probeProgram } from "./program.ts";
import { startTunnelPrograms } from "./tunnel-programs.ts";

/** bore's control port is fixed in its protocol. */
const controlPort = 7835;

/** bore (0.5.2 or newer, which can bind to loopback). */
export function borePeer(ports: PortPicker): Peer {
  return {
    name: "bore",
    kinds: ["tunnel"],
    probe: async () => await probeProgram("bore", ["--version"], /(\d+\.\d+\.\d+)/),
    start: async (_kind, service) => {
      const clientPort = ports.next();
      const port = String(clientPort);
      return await startTunnelPrograms({
        relay: ["bore", "server", "--min-port", port, "--max-port", port, "--bind-addr", "127.0.0.1"],
        relayPort: controlPort,
        agent: [
          "bore",
          "local",
          String(service.port),
          "--local-host",
          service.host,
          "--to",
          "127.0.0.1",
          "--port",
          port,
        ],
        clientPort,
      });
    },
  };
}
