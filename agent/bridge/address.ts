import { Port, hostPort } from "../../protocol/api.ts";
import { RdvError } from "../../protocol/errors.ts";

/** One side of a bridge: an address that is dialled, or one on which peers are accepted. */
export interface BridgeAddress {
  readonly type: "connect" | "listen";
  /** Name or address, an IPv6 address without brackets. A listener without one takes `::`: every address of both families. */
  readonly host: string;
  readonly port: number;
  /** `host:port`, for people. */
  readonly label: string;
}

/** Options of socat that ask for what a bridge does anyway. */
const harmless = new Set([
  "fork",
  "reuseaddr",
  "so-reuseaddr",
  "nodelay",
  "tcp-nodelay",
  "keepalive",
  "so-keepalive",
]);
const kinds: ReadonlyMap<string, BridgeAddress["type"]> = new Map([
  ["tcp", "connect"],
  ["tcp-connect", "connect"],
  ["tcp-listen", "listen"],
  ["tcp-l", "listen"],
]);
/** Every address of both families. */
const anyHost = "::";

/**
 * Reads an ADDRESS of `rdv bridge`, spelt as socat(1) does: `tcp:HOST:PORT` or `tcp-listen:[HOST:]PORT`, in
 * either case, IPv6 in brackets. Throws `usage` and says what is wrong.
 */
export function parseBridgeAddress(text: string): BridgeAddress {
  const [address = "", ...options] = text.split(",");
  const colon = address.indexOf(":");
  const type = kinds.get(address.slice(0, Math.max(colon, 0)).toLowerCase());
  if (!type) throw wrong(text, `it must start with "tcp:" or "tcp-listen:"`);
  for (const option of options) checkOption(text, option);
  const rest = address.slice(colon + 1);
  const parts = /^(?:(?:\[(?<v6>[0-9a-fA-F:.%\w]+)\]|(?<name>[\w.*-]+)):)?(?<port>\d+)$/.exec(rest)?.groups;
  if (!parts)
    throw wrong(
      text,
      rest.includes("::") ? "an IPv6 address stands in brackets" : `"${rest}" is not HOST:PORT`,
    );
  const port = parsePort(text, type, parts["port"] ?? "");
  const named = parts["v6"] ?? parts["name"];
  if (type === "connect" && (named === undefined || named === "*"))
    throw wrong(text, "it names no host to dial");
  const host = named === undefined || named === "*" ? anyHost : named;
  return { type: type, host, port, label: hostPort(host, port) };
}

/** A listener may ask for port 0: one that the system chooses. */
function parsePort(text: string, type: BridgeAddress["type"], digits: string): number {
  const port = Number(digits);
  if (type === "listen" && port === 0) return 0;
  if (!Port.safeParse(port).success) throw wrong(text, `${digits} is not a port from 1 to 65535`);
  return port;
}

function checkOption(text: string, option: string): void {
  const [name = "", value] = option.toLowerCase().split("=");
  if (harmless.has(name) && (value === undefined || value === "1")) return;
  throw wrong(text, `the option "${option}" is not known here (fork and reuseaddr are, and are always on)`);
}

function wrong(text: string, what: string): RdvError {
  return new RdvError(
    "usage",
    `"${text}" is not an address: ${what}. Write tcp:HOST:PORT or tcp-listen:[HOST:]PORT, for example tcp:localhost:22 or tcp-listen:127.0.0.1:8022`,
  );
}
