import { version } from "../../protocol/version.ts";
import type { Peer } from "../model.ts";
import type { PortPicker } from "./ports.ts";
import { startRdvMode } from "./rdv-mode.ts";

/** One way from a client to a service, as the options of the commands that make it. */
export interface Mode {
  readonly name: string;
  /** The relay has a key, so that halves come in TLS; on loopback it has none otherwise. */
  readonly tls: boolean;
  /** Options of relay and agent, and of the client's end where it has one. */
  readonly pump: "kernel" | "portable";
  readonly expose: readonly string[];
  /** Options of `rdv connect`; undefined for plain clients, who dial the session's port. */
  readonly connect: readonly string[] | undefined;
  /** What `rdv connect` must say of its way, so that no other one is measured. */
  readonly path: "relay" | "direct";
}

const plain: Mode = { name: "", tls: false, pump: "kernel", expose: [], connect: undefined, path: "relay" };
const relayed = ["--direct", "off"];
const met = ["--direct", "only"];

/** In the order of the table: plain clients, the same under TLS, from end to end, without relay. */
export const modes: readonly Mode[] = [
  { ...plain, name: "kernel pump" },
  { ...plain, name: "portable pump", pump: "portable" },
  { ...plain, name: "TLS leg", tls: true },
  { ...plain, name: "WebSocket leg", expose: ["--transport", "websocket"] },
  { ...plain, name: "end to end over plain legs", connect: relayed },
  { ...plain, name: "end to end over TLS legs", tls: true, connect: relayed },
  {
    ...plain,
    name: "--plain at both ends",
    tls: true,
    expose: ["--plain"],
    connect: ["--plain", ...relayed],
  },
  { ...plain, name: "met without relay", connect: met, path: "direct" },
  {
    ...plain,
    name: "met without relay --plain",
    expose: ["--plain"],
    connect: ["--plain", ...met],
    path: "direct",
  },
];

/** rdv in one of its modes. */
export function rdvModePeer(mode: Mode, ports: PortPicker): Peer {
  return {
    name: mode.name,
    kinds: ["modes"],
    probe: async () => await Promise.resolve({ installed: true, version }),
    start: async (_kind, service) => await startRdvMode(mode, ports, service),
  };
}
