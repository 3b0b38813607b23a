import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { RdvError } from "../../protocol/errors.ts";
import { bounded, stepMs } from "./bounded.ts";
import { fail, ok, warn } from "./finding.ts";
import type { Finding } from "./finding.ts";

/** A lookup that takes longer is felt with every new connection. */
const slowMs = 1_000;

interface Answer {
  readonly addresses: readonly { readonly address: string; readonly family: number }[];
  readonly ms: number;
}

/** What the system's resolver says of a host, and how long it takes; the way on which connections are dialled. */
export async function checkName(host: string, signal: AbortSignal): Promise<Finding> {
  if (isIP(host) !== 0) return ok("names", `${host} is an address; nothing to look up`);
  const begin = performance.now();
  try {
    const addresses = await bounded(signal, async () => await lookup(host, { all: true }));
    return judgeName(host, { addresses, ms: performance.now() - begin });
  } catch (error) {
    signal.throwIfAborted();
    return failed(host, error);
  }
}

/** What an answer of the resolver means. */
export function judgeName(host: string, { addresses, ms }: Answer): Finding {
  const list = (wanted: number): string[] =>
    addresses.filter(({ family }) => family === wanted).map(({ address }) => address);
  const some = (kind: string, found: readonly string[]): string =>
    found.length === 0 ? `no ${kind}` : `${kind} ${found.join(", ")}`;
  const detail = `${host}: ${some("IPv4", list(4))}; ${some("IPv6", list(6))}; looked up in ${ms.toFixed(0)} ms`;
  if (ms < slowMs) return ok("names", detail);
  return warn(
    "names",
    detail,
    "the resolver is slow, so every connection begins late: check the name servers of this machine, the first one above all",
  );
}

function failed(host: string, error: unknown): Finding {
  if (error instanceof RdvError)
    return fail(
      "names",
      `${host}: no answer of the resolver within ${stepMs / 1_000} s`,
      "the name servers of this machine do not answer: check /etc/resolv.conf, and whether a firewall lets port 53 through",
    );
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
  const advice =
    code === "ENOTFOUND"
      ? "check the spelling; a name that was made just now may take minutes to be known"
      : "the resolver answers with an error: check the name servers of this machine and its network";
  return fail("names", `${host}: ${code}`, advice);
}
