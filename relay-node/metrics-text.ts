import type { RelayMetrics } from "./metrics.ts";

/** A relay's metrics in the Prometheus text format, version 0.0.4. */
export function formatMetrics(id: string, version: string, metrics: RelayMetrics): string {
  return [
    gauge("info", "What runs here", [[`id="${id}",version="${version}",pump="${metrics.pump}"`, 1]]),
    gauge("sessions", "Sessions known to this relay", [["", metrics.sessions]]),
    gauge("halves_waiting", "Agent halves that wait for a client", [["", metrics.halvesWaiting]]),
    gauge("clients_waiting", "Clients that wait for an agent half", [["", metrics.clientsWaiting]]),
    gauge("pairs", "Pairs that live", [["", metrics.pairs]]),
    gauge("pumped_pairs", "Pairs that live, by what moves their bytes: the portable pump takes TLS", [
      ['pump="kernel"', metrics.pumped.kernelPairs],
      ['pump="portable"', metrics.pumped.portablePairs],
    ]),
    counter("pairs_total", "Pairs made", [["", metrics.pairsTotal]]),
    counter("pair_ends_total", "Pairs ended", labelled("outcome", metrics.pairEnds)),
    counter("unpaired_ends_total", "Connections ended without a pair", bySide(metrics.unpairedEnds)),
    counter(
      "ticketed_clients_total",
      "Clients with a ticket, by why they did not go directly",
      labelled("direct", metrics.ticketedClients),
    ),
    counter("refused_total", "HTTP refusals", labelled("reason", metrics.refused)),
    counter("handshakes_refused_total", "TLS handshakes not begun: their source had too many for nothing", [
      ["", metrics.handshakesRefused],
    ]),
    counter("bytes_total", "Bytes moved", [
      ['direction="client_to_agent"', metrics.bytes.aToB],
      ['direction="agent_to_client"', metrics.bytes.bToA],
    ]),
    counter(
      "accepted_total",
      "Connections accepted",
      labelled("port", new Map(Object.entries(metrics.accepted))),
    ),
    gauge("connections", "Connections open on all ports", [["", metrics.connections]]),
    counter("dropped_total", "Connections closed at once for want of descriptors", [["", metrics.dropped]]),
    gauge("lag_seconds", "99th percentile of the event loop's delay", [["", metrics.lagMs / 1_000]]),
    gauge("descriptors", "Open file descriptors", [["", metrics.descriptors]]),
    gauge("descriptors_max", "Limit of open file descriptors", [["", metrics.maxDescriptors]]),
  ].join("");
}

type Samples = readonly (readonly [labels: string, value: number])[];

function metric(type: "gauge" | "counter", name: string, help: string, samples: Samples): string {
  const full = `rdv_relay_${name}`;
  const lines = samples.map(([labels, value]) => `${full}${labels === "" ? "" : `{${labels}}`} ${value}\n`);
  return `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n${lines.join("")}`;
}

const gauge = (name: string, help: string, samples: Samples): string => metric("gauge", name, help, samples);
const counter = (name: string, help: string, samples: Samples): string =>
  metric("counter", name, help, samples);

function labelled(label: string, counts: ReadonlyMap<string, number>): Samples {
  return [...counts].map(([key, value]) => [`${label}="${key}"`, value] as const);
}

function bySide(counts: ReadonlyMap<`${string} ${string}`, number>): Samples {
  return [...counts].map(([key, value]) => {
    const [side = "", outcome = ""] = key.split(" ");
    return [`side="${side}",outcome="${outcome}"`, value] as const;
  });
}
