import type { Socket } from "node:net";
import type { Joined, JoinOptions, Leg, Pump } from "../../../net/pump.ts";
import { createWireMaker, type Wire, type WireMaker } from "./sockets.ts";

/** A pair in a pump with both its outer ends in the test's hands. */
export interface TestPair {
  readonly client: Socket;
  readonly service: Socket;
  readonly joined: Joined;
}

/** A pump and what is needed to try it. */
export interface Rig extends AsyncDisposable {
  readonly pump: Pump;
  wire(): Promise<Wire>;
  pair(options?: JoinOptions): Promise<TestPair>;
}

/** Opens what makes the wires of a rig. */
type MakeWires = () => Promise<WireMaker>;

/** Makes a test body of what uses a rig. */
export type WithRig = (use: (rig: Rig) => Promise<void>) => () => Promise<void>;

/** Sockets around a pump that stays the caller's; over loopback TCP, unless told otherwise. */
export async function createRig(pump: Pump, makeWires: MakeWires = createWireMaker): Promise<Rig> {
  const maker = await makeWires();
  return {
    pump,
    wire: () => maker.wire(),
    async pair(options) {
      const [a, b] = [await maker.wire(), await maker.wire()];
      return { client: a.outer, service: b.outer, joined: pump.join(leg(a.inner), leg(b.inner), options) };
    },
    async [Symbol.asyncDispose]() {
      await maker[Symbol.asyncDispose]();
    },
  };
}

/** A leg with nothing read yet, or with these early bytes. */
export function leg(socket: Socket, early: Buffer = Buffer.alloc(0), ended = false): Leg {
  return { socket, early, ended };
}
