import { InvalidArgumentError } from "commander";
import { Cidr, Fingerprint, Host, Port, Region, SessionName } from "../protocol/api.ts";
import { RdvError } from "../protocol/errors.ts";
import type * as z from "zod";

/** A range of TCP ports, both ends included. */
export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/** Parses a TCP port, 1 to 65535. */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!Port.safeParse(port).success) throw new InvalidArgumentError("A port is a number from 1 to 65535.");
  return port;
}

/** Parses a port on which to listen; 0 lets the system choose. */
export function parseListenPort(text: string): number {
  return text === "0" ? 0 : parsePort(text);
}

/** Parses `PORT` (of this machine alone), `HOST:PORT` or `[IPv6]:PORT`; port 0 lets the system choose. */
export function parseLocalAddress(text: string): { host: string; port: number } {
  const parts = /^(?:(?:\[(?<v6>[0-9A-Fa-f:.]+)\]|(?<host>[\w.-]+)):)?(?<port>\d+)$/.exec(text)?.groups;
  if (!parts) throw new InvalidArgumentError("Write a port, HOST:PORT or [IPv6]:PORT.");
  return { host: parts["v6"] ?? parts["host"] ?? "127.0.0.1", port: parseListenPort(parts["port"] ?? "") };
}

/** Parses `A-B`, a range of ports, or one port. */
export function parsePortRange(text: string): PortRange {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  if (!match?.[1]) throw new InvalidArgumentError("Write a range of ports as 20000-29999.");
  const from = parsePort(match[1]);
  const to = parsePort(match[2] ?? match[1]);
  if (to < from) throw new InvalidArgumentError("The range's first port is above its last.");
  return { from, to };
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Parses a duration such as `90s`, `30m`, `8h` or `7d` to seconds; a bare number is seconds. */
export function parseDuration(text: string): number {
  const match = /^(\d{1,9})([smhd]?)$/.exec(text);
  const seconds = Number(match?.[1]) * (unitSeconds[match?.[2] || "s"] ?? Number.NaN);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 365 * 86_400)
    throw new InvalidArgumentError("Write a duration as 90s, 30m, 8h or 7d, at most 365d.");
  return seconds;
}

/** Parses a whole number from `least` to `most`. */
export function parseCount(least: number, most: number): (text: string) => number {
  return (text) => {
    const count = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (!(count >= least && count <= most))
      throw new InvalidArgumentError(`Use a whole number from ${least} to ${most}.`);
    return count;
  };
}

/** Parses an address or a range of addresses. */
export function parseCidr(text: string): string {
  if (!Cidr.safeParse(text).success)
    throw new InvalidArgumentError("Write an address range as 203.0.113.0/24 or 2001:db8::/32.");
  return text;
}

/** Collects a repeatable `--client` of keys' fingerprints. */
export function collectFingerprint(text: string, previous: readonly string[] | undefined): string[] {
  if (!Fingerprint.safeParse(text).success)
    throw new InvalidArgumentError("A key has 43 characters; `rdv doctor` shows that of its machine.");
  return [...(previous ?? []), text];
}

/** Collects a repeatable option of address ranges. */
export function collectCidr(text: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), parseCidr(text)];
}

/** Address ranges of an environment variable, with commas or spaces between; throws `usage`. */
export function parseCidrs(name: string, env: NodeJS.ProcessEnv): string[] {
  const ranges = (env[name] ?? "").split(/[\s,]+/).filter(Boolean);
  const wrong = ranges.find((range) => !Cidr.safeParse(range).success);
  if (wrong === undefined) return ranges;
  throw new RdvError("usage", `${name}: "${wrong}" is no address range; write 127.0.0.1 or 10.0.0.0/8`);
}

/** Collects a repeatable `--allow` of address ranges, of which `all` stands for every address. */
export function collectAllowed(text: string, previous: readonly string[] | undefined): string[] {
  return text === "all" ? [...(previous ?? [])] : collectCidr(text, previous);
}

/** Parses a number of bytes such as `500000`, `200k`, `50M` or `2G` (powers of ten). */
export function parseBytes(text: string): number {
  const match = /^(\d{1,15})([kMG]?)$/.exec(text);
  const bytes = Number(match?.[1]) * (unitBytes[match?.[2] ?? ""] ?? Number.NaN);
  if (!(bytes >= 1 && bytes <= Number.MAX_SAFE_INTEGER))
    throw new InvalidArgumentError("Write a number of bytes as 500000, 200k, 50M or 2G.");
  return bytes;
}

const unitBytes: Readonly<Record<string, number>> = { "": 1, k: 1e3, M: 1e6, G: 1e9 };

/** Lets `none` through beside what `parse` takes; commander ignores a parser's null, so the word itself is the value. */
export function orNone<T>(parse: (text: string) => T): (text: string) => T | "none" {
  return (text) => (text === "none" ? "none" : parse(text));
}

/** Collects a repeatable option. */
export function collect(text: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), text];
}

export const parseName = bySchema(SessionName);
export const parseRegion = bySchema(Region);
export const parseHost = bySchema(Host);

/** Parses an http or https URL and drops its trailing slash. */
export function parseUrl(text: string): string {
  const url = URL.parse(text);
  if (!url || (url.protocol !== "http:" && url.protocol !== "https:"))
    throw new InvalidArgumentError("Write the control plane as https://HOST or http://HOST:8787.");
  return url.href.replace(/\/+$/, "");
}

function bySchema(schema: z.ZodType<string>): (text: string) => string {
  return (text) => {
    const parsed = schema.safeParse(text);
    if (parsed.success) return parsed.data;
    throw new InvalidArgumentError(`${sentence(parsed.error.issues[0]?.message ?? "not valid")}.`);
  };
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
