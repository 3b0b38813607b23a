import { Host, Port, SessionName, hostPort } from "../../protocol/api.ts";
import { RdvError } from "../../protocol/errors.ts";
import { joinFiles, joinShell } from "./embedded.ts";

/** What the join script tells and uses. It holds no secret: the ticket comes with the claim. */
export interface JoinScript {
  /** `ORIGIN/j/CODE`, without a query. */
  readonly url: string;
  /** The invitation's code, `K7Q2X-9FMTR`. */
  readonly code: string;
  /** Who asks, as they call themselves. */
  readonly inviter: string;
  /** `host:port` as seen from the invited machine. */
  readonly target: string;
  /** `host:port` at which the inviter will reach it. */
  readonly address: string;
  /** When the invitation ends. */
  readonly expires: Date;
  readonly sessionName: string;
  /** The target is an ssh server: the script tells the inviter its host key. */
  readonly isSsh?: boolean;
  /** The session's relay takes TLS; what cannot speak it says so before it asks. */
  readonly relayTls: boolean;
}

/**
 * The POSIX shell script that makes a machine the agent of one session.
 * Names are shown and so made harmless; what is used must have its shape, or this throws `internal`:
 * a value that could mean something to a shell never reaches one.
 */
export function joinScript(options: JoinScript): string {
  const target = splitHostPort(options.target, "target");
  const address = splitHostPort(options.address, "address");
  if (Number.isNaN(options.expires.getTime()))
    throw new RdvError("internal", "The invitation's end is not a time");
  const code = checked(options.code, codeShape.test(options.code), "code").toUpperCase();
  const values = {
    url: checked(
      options.url,
      urlShape.test(options.url) && options.url.endsWith(`/j/${options.code}`),
      "URL",
    ),
    inviter: shownName(options.inviter),
    ssh: options.isSsh ? "yes" : "",
    session: checked(options.sessionName, SessionName.safeParse(options.sessionName).success, "session name"),
    host: target.host,
    port: String(target.port),
    address: hostPort(address.host, address.port),
    relay_tls: options.relayTls ? "yes" : "",
    expires: String(Math.floor(options.expires.getTime() / 1_000)),
    expires_utc: options.expires.toISOString().replace(/T(\d\d:\d\d).*/, " $1 UTC"),
    sha_mjs: joinFiles["agent.mjs"].sha256,
    sha_py: joinFiles["agent.py"].sha256,
    sha_pl: joinFiles["agent.pl"].sha256,
    sha_sh: joinFiles["agent.sh"].sha256,
  };
  const lines = Object.entries(values).map(([name, value]) => `${name}=${singleQuoted(value)}`);
  return `#!/bin/sh\n# rdv, invitation ${code}: lets one person reach one service of this machine.\n${lines.join("\n")}\n\n${joinShell}`;
}

const codeShape = /^[0-9A-HJKMNP-TV-Z]{5}-?[0-9A-HJKMNP-TV-Z]{5}$/i;
const urlShape =
  /^https?:\/\/(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?(?:\/[A-Za-z0-9._~-]+){1,9}$/;

function checked(value: string, fits: boolean, what: string): string {
  if (fits) return value;
  throw new RdvError("internal", `The invitation's ${what} does not have the shape of one`);
}

/** `host:port` or `[ipv6]:port`, the host without its brackets. */
function splitHostPort(text: string, what: string): { host: string; port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? "";
  const port = Number(digits);
  if (Host.safeParse(host).success && /^[A-Za-z0-9:]/.test(host) && Port.safeParse(port).success)
    return { host, port };
  throw new RdvError("internal", `The invitation's ${what} is not host:port`);
}

/**
 * Letters of any script, marks, digits and a little punctuation; the rest, control characters above all, becomes `?`,
 * and an apostrophe, which would end a quoted word, becomes the typographic one.
 */
function shownName(name: string): string {
  const apostrophes = name.normalize("NFC").replaceAll("'", "’");
  const harmless = apostrophes.replace(/[^\p{L}\p{M}\p{N} ’.,:_@+()/-]/gu, "?").trim();
  return /^.{1,80}/u.exec(harmless)?.[0] ?? "Somebody without a name";
}

/** Everything between single quotes is literal in a POSIX shell (XCU 2.2.2); a quote itself cannot stand there. */
function singleQuoted(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`;
}
