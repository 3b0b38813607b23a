import type { Address, Peer, Running } from "../model.ts";
import type { PortPicker } from "./ports.ts";
import { findProgram, probeProgram, startProgram } from "./program.ts";
import { started } from "./started.ts";
import { createTempFolder } from "./temp-folder.ts";

/** HAProxy as a TCP forwarder, with splice(2) or copying through its own buffers. */
export function haproxyPeer(mode: "splice" | "copy", ports: PortPicker): Peer {
  return {
    name: `haproxy ${mode}`,
    kinds: ["hop"],
    probe: async () => await probeProgram("haproxy", ["-v"], /version ([\d.]+)/),
    start: async (_kind, service) => await start(mode, ports.next(), service),
  };
}

async function start(mode: "splice" | "copy", port: number, service: Address): Promise<Running> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await createTempFolder());
  const file = await folder.write("haproxy.cfg", configuration(mode, port, service));
  const relay = stack.use(startProgram(findProgram("haproxy") ?? "haproxy", ["-db", "-f", file]));
  await relay.listens(port);
  return started({ relay: [relay], address: { host: "127.0.0.1", port }, stack });
}

function configuration(mode: "splice" | "copy", port: number, service: Address): string {
  const splice = mode === "splice" ? "  option splice-request\n  option splice-response\n" : "";
  return `global
  maxconn 9500
${mode === "copy" ? "  nosplice" : "  maxpipes 400"}
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
${splice}listen bench
  bind 127.0.0.1:${port}
  server service ${service.host}:${service.port}
`;
}
