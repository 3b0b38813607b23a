import { createLog } from "../../../net/log.ts";
import { createPump } from "../../../net/create-pump.ts";
import type { MeasuredPump } from "../../../net/create-pump.ts";
import type { JoinOptions } from "../../../net/pump.ts";
import { createIdentity } from "../../../net/tls/certificate.ts";
import { openWebSocketStream } from "../../../net/web-socket-dial.ts";
import { formatHalfRequest, webSocketPath } from "../../../protocol/handshake.ts";
import type { HalfKind } from "../../../protocol/handshake.ts";
import { dialShared, readHalf, startBench } from "../../relay-node/harness.ts";
import type { Bench, Half } from "../../relay-node/harness.ts";

/** How halves come to a relay. */
export interface LegKind {
  readonly name: string;
  readonly tls: boolean;
  readonly webSocket: boolean;
  readonly pump: "kernel" | "portable";
}

export const legKinds: readonly LegKind[] = [
  { name: "plain, kernel pump", tls: false, webSocket: false, pump: "kernel" },
  { name: "plain, portable pump", tls: false, webSocket: false, pump: "portable" },
  { name: "TLS", tls: true, webSocket: false, pump: "portable" },
  { name: "WebSocket", tls: false, webSocket: true, pump: "portable" },
  { name: "WebSocket in TLS", tls: true, webSocket: true, pump: "portable" },
];

/** A relay for halves of one kind, whose pairs have timers of their own. */
export interface LegBench extends AsyncDisposable {
  readonly bench: Bench;
  /** A half that has said its request. */
  half(kind: HalfKind, ticket: string): Promise<Half>;
}

const identity = createIdentity();
const { signal } = new AbortController();

export async function openLegs(leg: LegKind, timers: JoinOptions, handshakeMs = 5_000): Promise<LegBench> {
  await using held = new AsyncDisposableStack();
  const choice = leg.pump === "kernel" ? "auto" : "portable";
  const pump = held.use(await createPump({ choice, log: createLog({ write: () => {}, level: "error" }) }));
  const timed: MeasuredPump = {
    kind: pump.kind,
    join: (a, b, options) => pump.join(a, b, { ...options, ...timers }),
    stats: () => pump.stats(),
    [Symbol.asyncDispose]: async () => {},
  };
  const bench = held.use(
    await startBench({ pump: timed, handshakeMs, lingerMs: 100, tls: leg.tls ? identity : undefined }),
  );
  const stack = held.move();
  return {
    bench,
    async half(kind, ticket) {
      const outer = await dialShared(bench);
      const inside = {
        where: `127.0.0.1:${bench.relay.sharedPort}`,
        path: webSocketPath,
        signal,
        timeoutMs: 30_000,
      };
      const socket = leg.webSocket ? await openWebSocketStream(outer, inside) : outer;
      socket.write(formatHalfRequest(kind, "relay", ticket));
      return readHalf(socket);
    },
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}
