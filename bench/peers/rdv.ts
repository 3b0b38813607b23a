import type { Address, Kind, Peer, Probe } from "../model.ts";
import { version } from "../../protocol/version.ts";
import type { PortPicker } from "./ports.ts";
import { startRdvHop } from "./rdv-hop.ts";
import { startRdvTunnel } from "./rdv-tunnel.ts";

export type PumpChoice = "kernel" | "portable";

/** rdv itself: its pump alone for one hop, `rdv up` and `rdv expose` as users start them for the tunnel. */
export function rdvPeer(pump: PumpChoice, ports: PortPicker): Peer {
  return {
    name: `rdv ${pump}`,
    kinds: ["hop", "tunnel"],
    probe: async (): Promise<Probe> => await Promise.resolve({ installed: true, version }),
    start: async (kind: Kind, service: Address) =>
      kind === "hop"
        ? await startRdvHop(pump, ports.next(), service)
        : await startRdvTunnel(pump, ports, service),
  };
}
