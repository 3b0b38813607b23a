import { isLoopbackHost } from "../../protocol/plain-address.ts";
import * as z from "zod";
import { createApiCall } from "../../protocol/api-call.ts";
import type { Proxy } from "../../net/proxy/proxies.ts";
import { RdvError } from "../../protocol/errors.ts";
import type { ErrorCode } from "../../protocol/errors.ts";
import { bounded } from "./bounded.ts";
import { fail, ok, warn } from "./finding.ts";
import type { Finding } from "./finding.ts";

const Health = z.object({ status: z.literal("ok") });
const Description = z.object({ info: z.object({ version: z.string().max(40) }) });

interface ControlDeps {
  readonly url: string;
  readonly fetch: typeof fetch;
  /** On the way. */
  readonly proxy: Proxy | undefined;
  readonly signal: AbortSignal;
}

/** What the control plane has shown of itself. */
interface ControlSeen {
  readonly finding: Finding;
  /** How far its clock is ahead of this one, in seconds; undefined when it did not say. */
  readonly skewSeconds: number | undefined;
  readonly reached: boolean;
}

/** Whether the control plane answers as one, how fast, and what its clock says. */
export async function checkControl({ url, fetch, proxy, signal }: ControlDeps): Promise<ControlSeen> {
  const watch = watchFetch(fetch);
  const { call } = createApiCall({ url, fetch: watch.fetch, signal });
  try {
    await bounded(signal, async () => await call("GET", "/healthz", Health));
    const firstMs = watch.last().ms;
    const { info } = await bounded(signal, async () => await call("GET", "/openapi.json", Description));
    // This one finds the connection open, so it shows the way alone.
    await bounded(signal, async () => await call("GET", "/healthz", Health));
    const detail = `${url}: version ${info.version}, first answer after ${firstMs.toFixed(0)} ms, next one ${watch.last().ms.toFixed(0)} ms`;
    return { finding: ok("control", detail), skewSeconds: watch.last().skewSeconds, reached: true };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof RdvError)) throw error;
    const finding = fail("control", happened(error), adviceFor(error.code, proxy));
    return { finding, skewSeconds: watch.last().skewSeconds, reached: false };
  }
}

/** What it means that the control plane is asked without TLS. */
export function judgePlainHttp(url: URL): Finding {
  if (isLoopbackHost(url.hostname)) return ok("certificate", "none: plain HTTP on this machine");
  return warn(
    "certificate",
    `${url.origin} is plain HTTP: whoever is on the way reads the token`,
    "put a TLS proxy before the control plane, and use https://",
  );
}

/** The first half of an error's line; the second one is the advice of those who do not look any further. */
function happened({ message }: RdvError): string {
  return message.split("; ", 1)[0] ?? message;
}

function adviceFor(code: ErrorCode, proxy: Proxy | undefined): string {
  if (proxy && (code === "timeout" || code === "unreachable"))
    return `check ${proxy.variable}, and ask who runs that proxy whether it may go there; NO_PROXY lists what is reached without it`;
  if (code === "timeout")
    return "packets are dropped on the way: check the firewall and the port, and whether this network wants a proxy (HTTPS_PROXY)";
  if (code === "unreachable")
    return "is it running there? Correct --control or RDV_CONTROL, or keep another one with `rdv login URL`";
  return "something else answers at this address: correct --control or RDV_CONTROL";
}

interface Timed {
  readonly ms: number;
  readonly skewSeconds: number | undefined;
}

/** A `fetch` that remembers how long the last answer took and what its Date header said. */
function watchFetch(fetch: typeof globalThis.fetch): {
  readonly fetch: typeof globalThis.fetch;
  readonly last: () => Timed;
} {
  let last: Timed = { ms: 0, skewSeconds: undefined };
  return {
    last: () => last,
    fetch: async (input, init) => {
      const [began, begin] = [Date.now(), performance.now()];
      const response = await fetch(input, init);
      const ms = performance.now() - begin;
      last = { ms, skewSeconds: skewOf(response.headers.get("date"), began + ms / 2) };
      return response;
    },
  };
}

/** The header names a whole second (RFC 9110 section 5.6.7), which began half a second ago on average. */
function skewOf(date: string | null, middle: number): number | undefined {
  const told = Date.parse(date ?? "");
  return Number.isNaN(told) ? undefined : (told + 500 - middle) / 1_000;
}
