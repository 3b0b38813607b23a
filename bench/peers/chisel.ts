import type { Peer } from "../model.ts";
import type { PortPicker } from "./ports.ts";
import { probeProgram } from "./program.ts";
import { startTunnelPrograms } from "./tunnel-programs.ts";

/** chisel: SSH channels inside one WebSocket. */
export function chiselPeer(ports: PortPicker): Peer {
  return {
    name: "chisel",
    kinds: ["tunnel"],
    probe: async () => await probeProgram("chisel", ["--version"], /(\d+\.\d+\.\d+)/),
    start: async (_kind, service) => {
      const [relayPort, clientPort] = [ports.next(), ports.next()];
      return await startTunnelPrograms({
        relay: ["chisel", "server", "--host", "127.0.0.1", "--port", String(relayPort), "--reverse"],
        relayPort,
        agent: [
          "chisel",
          "client",
          `http://127.0.0.1:${relayPort}`,
          `R:127.0.0.1:${clientPort}:${service.host}:${service.port}`,
        ],
        clientPort,
      });
    },
  };
}
