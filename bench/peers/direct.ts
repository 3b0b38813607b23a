import type { Peer } from "../model.ts";
import { started } from "./started.ts";

/** No relay at all: what the load generators and this machine's loopback can do. The upper bound of every other line. */
export const direct: Peer = {
  name: "direct",
  kinds: ["hop", "tunnel"],
  probe: async () => await Promise.resolve({ installed: true, version: process.version }),
  start: async (_kind, service) =>
    await Promise.resolve(started({ relay: [], address: service, stack: new AsyncDisposableStack() })),
};
