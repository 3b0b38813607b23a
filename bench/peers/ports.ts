import { readFileSync } from "node:fs";

/** Below the system's ephemeral range, so that no outgoing connection sits on a port that a peer is told to listen on. */
const firstPort = 10_000;
const lastPort = 18_999;
const listening = "0A";

/** Hands out loopback ports that nobody listens on, each once. */
export interface PortPicker {
  next(): number;
}

/** Makes a picker that starts at a random place, so that two benchmarks at once keep apart. */
export function createPortPicker(random: () => number = Math.random): PortPicker {
  const count = lastPort - firstPort + 1;
  let place = Math.floor(random() * count);
  return {
    next: () => {
      const taken = listeningPorts();
      for (let tries = 0; tries < count; tries++) {
        const port = firstPort + (place++ % count);
        if (!taken.has(port)) return port;
      }
      throw new Error(`no free port between ${firstPort} and ${lastPort}`);
    },
  };
}

/** Ports that have a TCP listener now, of any address (/proc/net/tcp, proc(5)). */
export function listeningPorts(): Set<number> {
  const ports = new Set<number>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"])
    for (const line of read(table).split("\n").slice(1)) {
      const [, local, , state] = line.trim().split(/\s+/);
      if (state === listening && local !== undefined)
        ports.add(Number.parseInt(local.split(":")[1] ?? "", 16));
    }
  return ports;
}

/* A kernel without IPv6 has no second table. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
