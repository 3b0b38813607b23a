import type { Linger } from "../net/linger.ts";
import type { LogFields } from "../net/log.ts";
import { RdvError } from "../protocol/errors.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import { waitingAnswer } from "../protocol/handshake.ts";
import { limits } from "../protocol/limits.ts";
import type { HalfOutcome } from "../protocol/outcomes.ts";
import type { Arrival } from "./arrival.ts";
import { formatRefusal } from "./http-answer.ts";
import type { MetricsRecorder, Side } from "./metrics.ts";
import type { PairingEvent } from "./pairing-state.ts";
import { watchWaiting } from "./waiting-socket.ts";
import type { WaitingSocket } from "./waiting-socket.ts";

interface WaitingRoomDeps {
  readonly session: string;
  readonly linger: Linger;
  readonly metrics: MetricsRecorder;
  /** For what happens once a connection. */
  readonly note: (message: string, fields: LogFields) => void;
  readonly clientWaitMs: number;
  readonly dispatch: (event: PairingEvent) => void;
}

/** A connection that waits for its other half. */
export interface Waiting {
  readonly arrival: Arrival;
  readonly watch: WaitingSocket;
  /** Of a client: halves wait for as long as they like. */
  readonly timer?: NodeJS.Timeout;
}

/** The halves and clients of one session that wait. */
export interface WaitingRoom {
  addHalf(arrival: Arrival): void;
  addClient(arrival: Arrival): void;
  /** Tells a half that it waits, if it wants to know. */
  accept(half: string): void;
  get(side: Side, id: string): Waiting | undefined;
  /** The connection waits no more; its watch goes on until somebody ends it. */
  take(side: Side, id: string): Waiting | undefined;
  /** Ends a connection that waits: counted, logged, and told why. */
  end(side: Side, id: string, outcome: HalfOutcome, code: ErrorCode): void;
  /** The same for a half that had left the room to be told of a client. */
  endTaken(side: Side, arrival: Arrival, outcome: HalfOutcome, code: ErrorCode): void;
  count(side: Side): number;
}

/** Makes an empty waiting room. */
export function createWaitingRoom(deps: WaitingRoomDeps): WaitingRoom {
  const { dispatch } = deps;
  const waiting = {
    agent: new Map<string, Waiting>(),
    client: new Map<string, Waiting>(),
  };

  function take(side: Side, id: string): Waiting | undefined {
    const found = waiting[side].get(id);
    waiting[side].delete(id);
    clearInterval(found?.timer);
    return found;
  }

  return {
    addHalf(arrival) {
      const { id: half, socket, http } = arrival;
      const gone = (outcome: "gone" | "protocol_error") => () =>
        dispatch({ type: "half_gone", half, outcome });
      const watch = watchWaiting({
        socket,
        // A raw half is the service itself, which may speak first; one that has finished is no use to a client.
        earlyBytes: http ? 0 : limits.earlyBytes,
        onGone: gone("gone"),
        onTooEarly: gone("protocol_error"),
        onFinished: gone("gone"),
      });
      waiting.agent.set(half, { arrival, watch });
    },
    addClient(arrival) {
      const { id: client, socket, head, wantsContinue } = arrival;
      const onGone = (): void => dispatch({ type: "client_gone", client });
      const watch = watchWaiting({ socket, head, earlyBytes: limits.earlyBytes, onGone });
      // Repeated, because a client may be given back to the queue after its time came while it was being paired.
      const timer = setInterval(() => dispatch({ type: "client_waited", client }), deps.clientWaitMs);
      waiting.client.set(client, { arrival, watch, timer });
      if (wantsContinue) socket.write(waitingAnswer);
    },
    accept(half) {
      const { arrival } = waiting.agent.get(half) ?? {};
      if (!arrival?.wantsContinue) return;
      const { socket } = arrival;
      // A half that finds a client waiting gets its 101 in the same write.
      socket.cork();
      socket.write(waitingAnswer);
      setImmediate(() => socket.uncork());
    },
    get: (side, id) => waiting[side].get(id),
    take,
    end(side, id, outcome, code) {
      const found = take(side, id);
      found?.watch.release();
      if (found) endConnection(side, found.arrival, outcome, code, deps);
    },
    endTaken: (side, arrival, outcome, code) => endConnection(side, arrival, outcome, code, deps),
    count: (side) => waiting[side].size,
  };
}

function endConnection(
  side: Side,
  { socket, http, address }: Arrival,
  outcome: HalfOutcome,
  code: ErrorCode,
  { session, metrics, note, linger }: WaitingRoomDeps,
): void {
  metrics.unpaired(side, outcome);
  if (outcome === "gone") return void socket.destroy();
  note(`relay: ${side} not served`, { session, outcome, peer: address });
  if (!http) return linger.close(socket);
  metrics.refused(code);
  linger.close(socket, formatRefusal(new RdvError(code)));
}
