import { Port, hostPort } from "../protocol/api.ts";
import { RdvError } from "../protocol/errors.ts";
import { canonicalHost } from "../protocol/host.ts";

/** The one service that an agent's operator named: the only address the agent ever dials for a client. */
export interface Target {
  /** Name or address as it is dialled, an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
  /** `host:port`, for people. */
  readonly label: string;
  /** Usual name of what listens on that port (`ssh`), if it has one. */
  readonly service: string | undefined;
  /** What is dialled for the host, when its name was looked up once and for all. */
  readonly addresses?: readonly string[];
}

/** Services that may be named instead of their port; the ports are those that IANA has registered for them. */
const knownPorts: Readonly<Record<string, number>> = {
  ssh: 22,
  http: 80,
  https: 443,
  smb: 445,
  mssql: 1433,
  mqtt: 1883,
  nfs: 2049,
  mysql: 3306,
  rdp: 3389,
  postgres: 5432,
  postgresql: 5432,
  vnc: 5900,
  redis: 6379,
  mongodb: 27_017,
};

/** Reads TARGET: a port (on `localhost`), a known name, `host:port` or `[v6]:port`; throws `usage` otherwise. */
export function parseTarget(text: string): Target {
  const whole = parsePort(text);
  if (whole !== undefined) return target("localhost", whole);
  const parts = /^(?:\[(?<v6>[^\]]+)\]|(?<name>[^:[\]]+)):(?<port>[^:]+)$/.exec(text)?.groups;
  const host = hostOf(parts?.["v6"], parts?.["name"]);
  const port = parsePort(parts?.["port"] ?? "");
  if (host === undefined || port === undefined) throw notATarget(text);
  return target(host, port);
}

/** A port number without sign or leading zero, or a known name; undefined when it is neither. */
function parsePort(text: string): number | undefined {
  const name = text.toLowerCase();
  if (Object.hasOwn(knownPorts, name)) return knownPorts[name];
  if (!/^[1-9]\d{0,4}$/.test(text)) return undefined;
  return Port.safeParse(Number(text)).data;
}

/** The host in its one spelling: what is agreed to is what is dialled. Only an address in brackets may have a zone. */
function hostOf(bracketed: string | undefined, name: string | undefined): string | undefined {
  if (bracketed === undefined) return canonicalHost(name ?? "");
  const [, address = "", zone = ""] = /^([^%]*:[^%]*)(%[\w.-]+)?$/.exec(bracketed) ?? [];
  const host = canonicalHost(address);
  return host && host + zone;
}

function target(host: string, port: number): Target {
  const service = Object.keys(knownPorts).find((name) => knownPorts[name] === port);
  return { host, port, label: hostPort(host, port), service };
}

function notATarget(text: string): RdvError {
  return new RdvError(
    "usage",
    `"${text}" is not a target: write a port (22), a name (ssh, vnc, postgres …), host:port (nas:445) or [IPv6]:port ([::1]:22)`,
  );
}
