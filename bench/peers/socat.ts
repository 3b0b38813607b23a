import type { Address, Capacity, Kind, Peer, Running } from "../model.ts";
import type { PortPicker } from "./ports.ts";
import { probeProgram, startProgram } from "./program.ts";
import { startSocatLanes } from "./socat-lanes.ts";
import { started } from "./started.ts";

/** A process a connection: memory is measured on fewer pairs. */
const forking: Capacity = { streams: 100, idlePairs: 300, manyConnections: true };

/** socat with its default buffer of 8 KiB, or with the size given. */
export function socatPeer(bufferBytes: number | undefined, ports: PortPicker): Peer {
  const options = bufferBytes === undefined ? [] : ["-b", String(bufferBytes)];
  return {
    name: bufferBytes === undefined ? "socat" : `socat -b ${bufferBytes}`,
    kinds: ["hop", "tunnel"],
    probe: async () => await probeProgram("socat", ["-V"], /socat version (\S+)/),
    start: async (kind: Kind, service: Address): Promise<Running> =>
      kind === "hop"
        ? await startHop(options, ports.next(), service)
        : startSocatLanes(options, ports, service),
  };
}

async function startHop(options: readonly string[], port: number, service: Address): Promise<Running> {
  await using stack = new AsyncDisposableStack();
  const listen = `tcp-listen:${port},bind=127.0.0.1,reuseaddr,fork,backlog=4096`;
  const relay = stack.use(startProgram("socat", [...options, listen, `tcp:${service.host}:${service.port}`]));
  await relay.listens(port);
  return started({ relay: [relay], address: { host: "127.0.0.1", port }, capacity: forking, stack });
}
