import { hostname, userInfo } from "node:os";
import { createExposure } from "../agent/exposure.ts";
import type { Exposure, ExposureEvent } from "../agent/exposure.ts";
import type { RouteOptions } from "../agent/relay-route.ts";
import type { Target } from "../agent/target.ts";
import type { Pump } from "../net/pump.ts";
import type { CreateSession } from "../protocol/api.ts";
import type { createApi } from "../protocol/client.ts";
import { createProofKey } from "../protocol/proof.ts";
import { nextLine, splitAddress } from "./next-line.ts";
import type { Output } from "./output.ts";
import { pairNote } from "./pair-note.ts";

/** What the user asked of one exposure. */
export interface ExposureOptions {
  readonly name?: string | undefined;
  /** Instead of a name made from machine and port. */
  readonly suggestedName?: string | undefined;
  readonly port?: number | undefined;
  readonly region?: string | undefined;
  readonly allow?: readonly string[] | undefined;
  readonly ttl?: number | undefined;
  readonly once?: boolean | undefined;
  readonly pairs?: number | undefined;
  readonly connectsPerSecond?: number | undefined;
  readonly bytes?: number | undefined;
  readonly pool: number;
  readonly relays?: number | undefined;
  /** Halves in plain TCP, with proofs. */
  readonly plain?: boolean | undefined;
}

interface Run {
  readonly api: ReturnType<typeof createApi>;
  readonly target: Target;
  readonly options: ExposureOptions;
  readonly pump: Pump;
  readonly output: Output;
  readonly signal: AbortSignal;
  /** How this machine gets out; by default directly. */
  readonly outbound?: RouteOptions;
}

/** Exposes a target until it is over, and tells what happens; resolves to why it is over. */
export async function runExposure(run: Run): Promise<Awaited<Exposure["done"]>> {
  const { api, target, options, pump, output, signal, outbound } = run;
  await using exposure = await createExposure({
    api,
    target,
    pump,
    signal,
    outbound,
    proofKey: options.plain === true ? await createProofKey() : undefined,
    request: requestFor(target, options),
    pool: options.pool,
    log: output.log,
    onEvent: (event) => report(event, target, output),
  });
  return await exposure.done;
}

function requestFor(target: Target, options: ExposureOptions): CreateSession {
  return {
    target: target.label,
    ...(options.name === undefined
      ? { suggestedName: options.suggestedName ?? suggestName(target) }
      : { name: options.name }),
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(options.allow === undefined ? {} : { allow: [...options.allow] }),
    ...(options.ttl === undefined ? {} : { ttlSeconds: options.ttl }),
    ...(options.once === undefined ? {} : { once: options.once }),
    ...(options.pairs === undefined ? {} : { pairs: options.pairs }),
    ...(options.connectsPerSecond === undefined ? {} : { connectsPerSecond: options.connectsPerSecond }),
    ...(options.bytes === undefined ? {} : { bytes: options.bytes }),
    ...(options.relays === undefined ? {} : { relays: options.relays }),
  };
}

/** A name that the same service on the same machine gets again, so that a restarted agent finds its port. */
function suggestName(target: Target): string {
  const parts = [
    hostname().split(".")[0] ?? "",
    ...(target.host === "localhost" ? [] : [target.host]),
    String(target.port),
  ];
  const label = parts
    .join("-")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-");
  return label.slice(-60).replaceAll(/^-+|-+$/g, "");
}

function report(event: ExposureEvent, target: Target, output: Output): void {
  const { type, ...fields } = event;
  if (type === "ready") {
    const line = nextLine(target, splitAddress(event.address), userInfo().username);
    if (event.moved !== undefined) output.note(`moved: ${event.moved} is given up`);
    const where = event.addresses.join(" and ");
    output.note(`${target.label} is reachable as ${where} (session ${event.name}); Ctrl-C ends it`);
    output.event({ event: "ready", command: "expose", ...fields }, line);
    return;
  }
  output.event({ event: type, ...fields });
  if (type !== "replaced" && type !== "ended") output.note(pairNote(event));
}
