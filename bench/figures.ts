import type { Kind } from "./model.ts";
import type { Series } from "./results.ts";
import { spread } from "./statistics.ts";

/** One thing that the project wants to be true of rdv with its kernel pump, and what this run says. */
export interface Figure {
  readonly claim: string;
  readonly wanted: string;
  /** Undefined when something it needs was not measured. */
  readonly got: number | undefined;
  readonly holds: boolean | undefined;
}

/** Median of the values of one peer; both directions of the same number of streams count together. */
type Look = (kind: Kind, measure: string, columns: readonly string[], peer: string) => number | undefined;

const rdv = "rdv kernel";
const one = ["1 up", "1 down"];
const hundred = ["100 up", "100 down"];

/** Compares a run with the figures that the project aims at. They are aims, not gates. */
export function checkFigures(series: readonly Series[]): readonly Figure[] {
  const look: Look = (kind, measure, columns, peer) => {
    const values = series
      .filter(
        (s) => s.kind === kind && s.measure === measure && s.peer === peer && columns.includes(s.column),
      )
      .flatMap((s) => s.values);
    return values.length === 0 ? undefined : spread(values).median;
  };
  return [
    ...hopFigures(look),
    ...tunnelFigures(look),
    ...(["hop", "tunnel"] as const).flatMap((kind) => bothFigures(kind, look)),
  ];
}

function hopFigures(look: Look): Figure[] {
  const cpu = (peer: string): number | undefined => look("hop", "CPU of the relay", one, peer);
  const speed = (peer: string): number | undefined => look("hop", "throughput", one, peer);
  const trip = (peer: string): number | undefined => look("hop", "round trip", ["p50"], peer);
  const added = (peer: string): number | undefined => minus(trip(peer), trip("direct"));
  return [
    atMost("hop: CPU per GB / HAProxy splice", ratio(cpu(rdv), cpu("haproxy splice")), 1),
    atMost("hop: CPU per GB / own portable pump", ratio(cpu(rdv), cpu("rdv portable")), 0.35),
    atLeast(
      "hop: throughput 1 stream / HAProxy's best",
      ratio(speed(rdv), largest(speed("haproxy splice"), speed("haproxy copy"))),
      1.2,
    ),
    atLeast("hop: throughput 1 stream / socat -b 131072", ratio(speed(rdv), speed("socat -b 131072")), 1),
    atMost("hop: round trip added p50 / socat's", ratio(added(rdv), added("socat")), 1),
  ];
}

function tunnelFigures(look: Look): Figure[] {
  const cpu = (peer: string): number | undefined => look("tunnel", "CPU of relay and agent", one, peer);
  const speed = (peer: string): number | undefined => look("tunnel", "throughput", one, peer);
  return [
    atLeast("tunnel: throughput 1 stream / socat's", ratio(speed(rdv), speed("socat")), 1.3),
    atMost("tunnel: CPU per GB / socat's", ratio(cpu(rdv), cpu("socat")), 1 / 1.3),
    atMost("tunnel: CPU per GB / ssh -R", ratio(cpu(rdv), cpu("ssh -R")), 0.25),
    atLeast("tunnel: connections a second", look("tunnel", "connections", ["rate"], rdv), 3_000),
    atMost(
      "tunnel: connect to first byte p99, ms",
      look("tunnel", "connect to first byte, 32 at once", ["p99"], rdv),
      50,
    ),
  ];
}

function bothFigures(kind: Kind, look: Look): Figure[] {
  return [
    atMost(
      `${kind}: user-space memory of an idle pair in the relay, KiB`,
      look(kind, "memory of an idle pair, user space", ["relay"], rdv),
      2,
    ),
    atMost(
      `${kind}: descriptors of an idle pair in the relay`,
      look(kind, "descriptors of an idle pair", ["relay"], rdv),
      oneDecimal(2),
    ),
    atLeast(
      `${kind}: 100 streams, slowest / fastest`,
      look(kind, "share of the slowest stream", hundred, rdv),
      0.5,
    ),
    atMost(
      `${kind}: memory grown at a stopped reader, MiB`,
      look(kind, "1 GiB offered to a stopped reader", ["memory grown by"], rdv),
      8,
    ),
    atMost(
      `${kind}: p99 of another connection meanwhile / before`,
      look(kind, "another connection meanwhile", ["p99"], rdv),
      1.2,
    ),
  ];
}

function atMost(claim: string, got: number | undefined, bound: number): Figure {
  return { claim, wanted: `<= ${trim(bound)}`, got, holds: got === undefined ? undefined : got <= bound };
}

function atLeast(claim: string, got: number | undefined, bound: number): Figure {
  return { claim, wanted: `>= ${trim(bound)}`, got, holds: got === undefined ? undefined : got >= bound };
}

/** Something may come or go beside thousands of pairs: equal to one decimal is equal. */
function oneDecimal(bound: number): number {
  return bound + 0.05;
}

function trim(bound: number): string {
  return String(Math.round(bound * 100) / 100);
}

function ratio(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined || b === 0 ? undefined : a / b;
}

function minus(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a - b;
}

function largest(...values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}
