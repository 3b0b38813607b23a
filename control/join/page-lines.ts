import { RdvError } from "../../protocol/errors.ts";

/** What the person who is invited pastes, by kind of terminal. */
export interface JoinLines {
  /** For a POSIX shell: macOS, Linux, BSD. */
  readonly shell: string;
  /** For Windows PowerShell 5.1 and PowerShell 7. */
  readonly powershell: string;
  /** For a machine that has rdv: the only way into a private invitation. */
  readonly rdv: string;
}

/** Characters that no shell gives a meaning, within the shape `http(s)://host[:port]/path`. */
const safeUrl = /^https?:\/\/(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(?:\/[A-Za-z0-9._~-]+)+$/;

/**
 * The lines to paste for an invitation at `url` (`ORIGIN/j/CODE`).
 * Throws `internal` for a URL that a shell would not take as one plain word: it must never reach a reader.
 */
export function joinLines(url: string): JoinLines {
  if (!safeUrl.test(url) || url.length > 300)
    throw new RdvError(
      "internal",
      "The invitation's URL is not safe to paste into a shell; check the public origin",
    );
  return {
    // No redirect may lead from https to a script that anybody on the way can write.
    shell: `curl ${url.startsWith("https:") ? "--proto '=https' " : ""}-fsSL ${quoteIpv6(url)} | sh`,
    rdv: `rdv join ${quoteIpv6(url)}`,
    powershell: `irm ${quoteIpv6(`${url}/ps1`)} | iex`,
  };
}

/** Square brackets of an IPv6 address are a pattern for zsh and an index for PowerShell. */
function quoteIpv6(url: string): string {
  return url.includes("[") ? `'${url}'` : url;
}
