import { formatIp, parseIp } from "./ip-address.ts";

/**
 * A host in the one spelling that rdv takes, or undefined: an address (see `parseIp`), or a DNS name of letters, digits,
 * hyphens and underscores, without a dot at its end. A name never begins with a hyphen, because programs take that for
 * an option, and its last label is no number, because resolvers take `2130706433`, `0x7f.1` and `017700000001` for
 * addresses (WHATWG URL, "ends in a number").
 */
export function canonicalHost(text: string): string | undefined {
  const address = parseIp(text);
  if (address !== undefined) return formatIp(address);
  return isName(text) ? text : undefined;
}

function isName(text: string): boolean {
  if (text.length > 253) return false;
  const labels = text.split(".");
  return labels.every((label) => labelShape.test(label)) && !numberShape.test(labels.at(-1) ?? "");
}

const labelShape = /^\w([\w-]{0,61}\w)?$/;
const numberShape = /^(\d+|0x[0-9a-f]*)$/i;

/** `host:port` or `[ipv6]:port` with a host in its one spelling; undefined when it is anything else. */
export function readHostPort(text: string): { readonly host: string; readonly port: number } | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:]*)):([1-9]\d{0,4})$/.exec(text) ?? [];
  const written = bracketed ?? plain ?? "";
  const host = canonicalHost(written);
  const port = Number(digits);
  // Brackets are for IPv6 and for nothing else (RFC 3986 section 3.2.2).
  return host === undefined || port > 65_535 || written.includes(":") !== (bracketed !== undefined)
    ? undefined
    : { host, port };
}
