import { hostname, userInfo } from "node:os";
import { createExposure } from "../agent/exposure.ts";
import type { Exposure, ExposureEvent } from "../agent/exposure.ts";
import type { RouteOptions } from "../agent/relay-route.ts";
import type { Target } from "../agent/target.ts";
import type { Identity } from "../net/tls/certificate.ts";
import type { Pump } from "../net/pump.ts";
import type { CreateSession } from "../protocol/api.ts";
import type { createApi } from "../protocol/client.ts";
import { createProofKey } from "../protocol/proof.ts";
import { nextLine, privateLine, splitAddress } from "./next-line.ts";
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
  /** Whether clients of `rdv connect` are met without relay; by default they are. */
  readonly direct?: "auto" | "off" | undefined;
  /** No public port. */
  readonly private?: boolean | undefined;
  /** Fingerprints of the only clients' keys that are let in. */
  readonly client?: readonly string[] | undefined;
}

interface Run {
  readonly api: ReturnType<typeof createApi>;
  readonly target: Target;
  readonly options: ExposureOptions;
  readonly pump: Pump;
  readonly output: Output;
  readonly signal: AbortSignal;
  /** With which encryption from end to end is ended; without it there is none. */
  readonly identity: Identity | undefined;
  /** How this machine gets out; by default directly. */
  readonly outbound?: RouteOptions;
}

/** How an exposure ended; `reason` is the control plane's, when it ended the session. */
interface ExposureOver {
  readonly how: Awaited<Exposure["done"]>;
  readonly reason: string | undefined;
}

/** Exposes a target until it is over, and tells what happens. */
export async function runExposure(run: Run): Promise<ExposureOver> {
  const { api, target, options, pump, output, signal, outbound } = run;
  // A service that encrypts itself is reached as it is: there is no second encryption around it.
  const identity = options.plain === true ? undefined : run.identity;
  let reason: string | undefined;
  await using exposure = await createExposure({
    api,
    target,
    pump,
    signal,
    outbound,
    proofKey: options.plain === true ? await createProofKey() : undefined,
    identity,
    clients: options.client,
    directKey: options.direct === "off" ? undefined : run.identity,
    request: requestFor(target, options),
    pool: options.pool,
    log: output.log,
    onEvent: (event) => {
      if (event.type === "ended") ({ reason } = event);
      report(event, run, identity?.fingerprint);
    },
  });
  return { how: await exposure.done, reason };
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
    ...(options.private ? { private: true } : {}),
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

function report(event: ExposureEvent, run: Run, key: string | undefined): void {
  const { type, ...fields } = event;
  if (type === "ready") return ready(event, run, key);
  run.output.event({ event: type, ...fields });
  if (type !== "replaced" && type !== "ended") run.output.note(pairNote(event));
}

function ready(
  { type, ...fields }: ExposureEvent & { type: "ready" },
  { target, options, output }: Run,
  key: string | undefined,
): void {
  const { name, address, addresses, moved } = fields;
  const isPrivate = options.private === true;
  if (moved !== undefined) output.note(`moved: ${moved} is given up`);
  const where = isPrivate ? "to its owner alone" : `as ${addresses.join(" and ")}`;
  output.note(`${target.label} is reachable ${where} (session ${name}); Ctrl-C ends it`);
  const keyed = key === undefined ? name : `${name}#${key}`;
  if (!isPrivate && key !== undefined) output.note(`encrypted from end to end: rdv connect ${keyed}`);
  const line = isPrivate
    ? privateLine(target, keyed, key === undefined)
    : nextLine(target, splitAddress(address), userInfo().username);
  output.event({ event: type, command: "expose", ...fields, agentKey: key ?? null }, line);
}
