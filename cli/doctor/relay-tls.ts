import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { dialRelay } from "../../agent/relay-dial.ts";
import type { RelayCandidate } from "../../protocol/api.ts";
import type { RdvError } from "../../protocol/errors.ts";
import { stepMs } from "./bounded.ts";
import { isLoopbackHost } from "../../protocol/plain-address.ts";
import { fail, ok, warn } from "./finding.ts";
import type { Finding } from "./finding.ts";
import { judged } from "./judged.ts";
import { relayLabel } from "./relay-connect.ts";
import type { RelayWay } from "./relay-way.ts";

/** Whether TLS comes through to the relay, with the key that the control plane has named. */
export async function checkRelayTls(relay: RelayCandidate, { proxies, signal }: RelayWay): Promise<Finding> {
  if (relay.tls === null) return plainRelay(relay);
  const begin = performance.now();
  const label = relayLabel(relay);
  return await judged(
    signal,
    async () => {
      const socket = await dialRelay(relay, { signal, proxies, timeoutMs: stepMs });
      const took = `${(performance.now() - begin).toFixed(0)} ms`;
      const detail = `${label}: ${protocolOf(socket)} with the right key, in ${took}`;
      socket.destroy();
      return ok("relay-tls", detail);
    },
    (error) => fail("relay-tls", `${label}: ${error.message}`, adviceFor(error)),
  );
}

function plainRelay(relay: RelayCandidate): Finding {
  const detail = `${relayLabel(relay)}: speaks plain TCP alone`;
  if (isLoopbackHost(relay.host)) return ok("relay-tls", detail);
  return warn(
    "relay-tls",
    detail,
    "whoever is on the way reads the tickets, and what services send in the clear: let the relay speak TLS (no --no-tls)",
  );
}

function protocolOf(socket: Socket): string {
  return socket instanceof TLSSocket ? (socket.getProtocol() ?? "TLS") : "TLS";
}

function adviceFor({ code }: RdvError): string {
  if (code === "untrusted")
    return "another program answers there, or a proxy on the way opens TLS: nothing is sent to it. If the relay has a new key, restart it so that the control plane learns of it";
  return "TLS does not come through to this port: a firewall may let HTTP alone pass, or the relay has stopped to speak TLS";
}
