import type { Peer } from "../model.ts";
import { borePeer } from "./bore.ts";
import { chiselPeer } from "./chisel.ts";
import { direct } from "./direct.ts";
import { frpPeer } from "./frp.ts";
import { haproxyPeer } from "./haproxy.ts";
import { nginxPeer } from "./nginx.ts";
import type { PortPicker } from "./ports.ts";
import { ratholePeer } from "./rathole.ts";
import { modes, rdvModePeer } from "./rdv-modes.ts";
import { rdvPeer } from "./rdv.ts";
import { socatPeer } from "./socat.ts";
import { sshPeer } from "./ssh.ts";

/** Every peer that the benchmark knows, in the order of its tables. */
export function allPeers(ports: PortPicker): readonly Peer[] {
  return [
    direct,
    rdvPeer("kernel", ports),
    rdvPeer("portable", ports),
    ...modes.map((mode) => rdvModePeer(mode, ports)),
    socatPeer(undefined, ports),
    socatPeer(131_072, ports),
    haproxyPeer("splice", ports),
    haproxyPeer("copy", ports),
    nginxPeer(ports),
    sshPeer(ports),
    ratholePeer(ports),
    frpPeer(ports),
    borePeer(ports),
    chiselPeer(ports),
  ];
}
