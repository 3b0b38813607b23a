import type { Socket } from "node:net";
import { resetSocket } from "../net/pump-reset.ts";
import { hostPort } from "../protocol/api.ts";
import type { DirectMiss } from "../protocol/connect.ts";
import { Problem, RdvError, fromProblem } from "../protocol/errors.ts";
import { formatHalfRequest, parseHalfAnswer } from "../protocol/handshake.ts";
import type { HalfAnswer, HalfKind, PairedHead } from "../protocol/handshake.ts";
import { limits } from "../protocol/limits.ts";
import type { ProofKey } from "../protocol/proof.ts";
import type { HalfFailure } from "./pool.ts";
import type { RelayPort } from "./relay-dial.ts";
import { createRelayRoute } from "./relay-route.ts";
import type { RelayRoute, RouteAttempt } from "./relay-route.ts";

interface HalfOptions {
  readonly kind: HalfKind;
  /** Where the relay's shared port is, and what opens it. */
  readonly relay: RelayPort & { readonly ticket: string };
  /** The relay has this long to take the connection, and again as long to say 100. Default `limits.dialMs`. */
  readonly dialMs?: number;
  /** The way to that relay; by default one that knows nothing of it. */
  readonly route?: RelayRoute;
  /** Come in plain TCP, and prove with this key that the ticket, which is bound to it, is ours. */
  readonly proofKey?: ProofKey | undefined;
  /** Why this client does not come directly, for the relay's metrics. */
  readonly direct?: DirectMiss | undefined;
  /** The relay has said 100: the half waits. Called once, before `onPaired`. */
  readonly onAccepted: () => void;
  /** The other side has come. The socket is now the callee's; `early` was read after the head. */
  readonly onPaired: (head: PairedHead, socket: Socket, early: Buffer) => void;
  /** It is over without a pair. */
  readonly onLost: (failure: HalfFailure) => void;
}

/** A half that dials, waits and is then paired or lost. */
export interface Half {
  /** Gives the half up, silently: none of the callbacks comes any more. */
  close(): void;
}

/** Opens one half at a relay: dial, request, 100, then 101 or a refusal. Ends with one of `onPaired` and `onLost`. */
export function openHalf(options: HalfOptions): Half {
  const stop = new AbortController();
  dial(options, stop.signal).then(
    ({ attempt, proof }) => {
      if (stop.signal.aborted) attempt.socket.destroy();
      else shakeHands(attempt, proof, options, stop.signal);
    },
    (error: unknown) => {
      if (stop.signal.aborted) return;
      // Whatever it is that keeps one half from being made, the agent goes on trying.
      options.onLost(error instanceof RdvError ? lossOf(error) : unreachable(String(error)));
    },
  );
  return { close: () => stop.abort() };
}

interface Dialled {
  readonly attempt: RouteAttempt;
  readonly proof: string | undefined;
}

async function dial(options: HalfOptions, signal: AbortSignal): Promise<Dialled> {
  const { kind, relay, dialMs = limits.dialMs, proofKey } = options;
  const route = options.route ?? createRelayRoute();
  const host = hostPort(relay.host, relay.sharedPort);
  const proof = await proofKey?.prove({ kind, host, ticket: relay.ticket });
  return {
    attempt: await route.dial(relay, { signal, timeoutMs: dialMs, plain: proofKey !== undefined }),
    proof,
  };
}

function lossOf({ code, message, retryAfterMs }: RdvError): HalfFailure {
  if (code !== "proof_invalid") return unreachable(message);
  return { type: "refused", code, reason: message, retryAfterMs };
}

function shakeHands(
  attempt: RouteAttempt,
  proof: string | undefined,
  options: HalfOptions,
  signal: AbortSignal,
): void {
  const { socket } = attempt;
  const where = hostPort(options.relay.host, options.relay.sharedPort);
  let received = "";
  let accepted = false;
  const late = (what: string): NodeJS.Timeout =>
    setTimeout(() => {
      attempt.blocked();
      lose(unreachable(`${where} ${what}`));
    }, options.dialMs ?? limits.dialMs);
  const timer = late("takes connections but does not answer");
  // Waiting may take for ever, but an answer that has begun may not.
  let rest: NodeJS.Timeout | undefined;

  const onData = (chunk: Buffer): void => {
    received += chunk.toString("latin1");
    read(false);
  };
  const onEnd = (): void => read(true);
  const onClose = (): void => read(true);
  // A reset, because a FIN that crosses the relay's 101 would look to the client like a service that has nothing to say.
  const onAbort = (): void => {
    detach();
    resetSocket(socket);
  };

  function read(ended: boolean): void {
    let answer = parseHalfAnswer(received, ended);
    while (answer.type === "waiting" || answer.type === "interim") {
      received = received.slice(answer.headBytes);
      if (answer.type === "waiting") accept();
      if (signal.aborted) return;
      answer = parseHalfAnswer(received, ended);
    }
    if (answer.type === "paired") pair(answer);
    else if (answer.type !== "incomplete") {
      const failure = failureOf(answer, accepted && received === "", where);
      if (failure.type === "unreachable") attempt.blocked();
      else attempt.worked();
      lose(failure);
    } else if (accepted && received !== "") rest ??= late("begins an answer and does not end it");
  }

  function accept(): void {
    if (accepted) return;
    accepted = true;
    clearTimeout(timer);
    attempt.worked();
    options.onAccepted();
  }

  function pair({ head, headBytes }: HalfAnswer & { type: "paired" }): void {
    accept();
    detach();
    socket.pause();
    options.onPaired(head, socket, Buffer.from(received.slice(headBytes), "latin1"));
  }

  function lose(failure: HalfFailure): void {
    detach();
    socket.destroy();
    options.onLost(failure);
  }

  function detach(): void {
    clearTimeout(timer);
    clearTimeout(rest);
    signal.removeEventListener("abort", onAbort);
    socket.off("data", onData).off("end", onEnd).off("close", onClose);
  }

  signal.addEventListener("abort", onAbort, { once: true });
  socket.on("data", onData).on("end", onEnd).on("close", onClose);
  socket.write(formatHalfRequest(options.kind, where, options.relay.ticket, proof, options.direct));
}

function failureOf(
  answer: HalfAnswer & { type: "refused" | "malformed" },
  waited: boolean,
  where: string,
): HalfFailure {
  if (answer.type === "refused") return refusalOf(answer, where);
  if (waited) return { type: "gone", reason: `${where} closed the connection` };
  return unreachable(`${where} does not answer as a relay does`);
}

/** A relay explains its refusals; `upgrade_required` says that something in between took the upgrade out. */
function refusalOf(
  { body, status, retryAfterMs }: HalfAnswer & { type: "refused" },
  where: string,
): HalfFailure {
  const problem = parseJson(body);
  const { success: explained } = Problem.safeParse(problem);
  const error = fromProblem(problem, status, retryAfterMs);
  if (!explained || error.code === "upgrade_required")
    return unreachable(
      `something in between ${where} and this machine answers for it (HTTP status ${status})`,
    );
  return { type: "refused", code: error.code, reason: error.message, retryAfterMs: error.retryAfterMs };
}

function unreachable(reason: string): HalfFailure {
  return { type: "unreachable", reason };
}

/** A body that is no JSON is a body without an explanation. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
