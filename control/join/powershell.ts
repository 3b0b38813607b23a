import { Host, Port, SessionName, hostPort } from "../../protocol/api.ts";
import { RdvError } from "../../protocol/errors.ts";
import { plainText } from "./page-escape.ts";
import { joinLines } from "./page-lines.ts";
import { powershellBody } from "./powershell-body.ts";
import type { JoinScript } from "./script.ts";

/**
 * The PowerShell twin of `joinScript`, for Windows PowerShell 5.1 and PowerShell 7. Pure ASCII, because 5.1 reads
 * text without a charset as Latin-1. It is one script block: a cut download does not parse, so nothing of it runs,
 * and nothing of it stays in the caller's session. Throws `internal` for a value without the shape of one.
 */
export function powershellJoinScript(options: JoinScript): string {
  joinLines(options.url);
  const target = splitHostPort(options.target, "target");
  const address = splitHostPort(options.address, "address");
  if (!/^[0-9A-Za-z-]{1,32}$/.test(options.code)) throw misshapen("code");
  if (!SessionName.safeParse(options.sessionName).success) throw misshapen("session name");
  const settings = {
    url: options.url,
    inviter: plainText(options.inviter) || "Somebody without a name",
    session: options.sessionName,
    targetHost: target.host,
    address: hostPort(address.host, address.port),
  };
  const lines = Object.entries(settings).map(([name, value]) => `  $${name} = ${powershellLiteral(value)}`);
  lines.push(
    `  $targetPort = ${target.port}`,
    `  $expires = ${Math.floor(options.expires.getTime() / 1_000)}`,
  );
  return `# rdv, invitation ${options.code}: lets one person reach one service of this computer.\n& {\n${lines.join("\n")}\n${powershellBody}}\n`;
}

/**
 * An expression that is exactly this text. Between single quotes everything is literal but the quote, and
 * PowerShell takes the typographic quotes U+2018 to U+201B for one too: so all that is not plain ASCII is written as a number.
 */
export function powershellLiteral(text: string): string {
  const parts = text.match(/[ -&(-~]+|[^ -&(-~]/g) ?? []; // Without the u flag: one match a UTF-16 unit.
  const written = parts.map((part) =>
    /^[ -~]+$/.test(part) && part !== "'" ? `'${part}'` : `[char]${part.charCodeAt(0)}`,
  );
  return written.length === 1 && written[0]?.startsWith("'")
    ? written[0]
    : `(-join @(${written.join(", ")}))`;
}

function splitHostPort(text: string, what: string): { host: string; port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? "";
  const port = Number(digits);
  if (Host.safeParse(host).success && Port.safeParse(port).success) return { host, port };
  throw misshapen(what);
}

function misshapen(what: string): RdvError {
  return new RdvError("internal", `The invitation's ${what} does not have the shape of one`);
}
