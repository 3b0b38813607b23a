import type * as z from "zod";
import { askedFor } from "./about.ts";
import { RdvError, fromProblem } from "./errors.ts";
import { limits } from "./limits.ts";

export interface ApiDeps {
  /** Base URL of the control plane, `http://127.0.0.1:8787`. */
  readonly url: string;
  /** API token; without it only what is public is answered. */
  readonly token?: string | undefined;
  readonly fetch?: typeof fetch;
  /** Ends every request that is under way. */
  readonly signal?: AbortSignal | undefined;
}

/** Sends one request and checks its answer; throws RdvError and nothing else, but for the reason of `signal`. */
export type ApiCall = <T>(method: string, path: string, schema: z.ZodType<T>, body?: unknown) => Promise<T>;

/** The way to the control plane at `url`, for the verbs of the client. Throws `usage` when that is no URL. */
export function createApiCall(deps: ApiDeps): {
  readonly call: ApiCall;
  readonly href: (path: string) => string;
} {
  const base = parseBase(deps.url);
  return {
    call: async (method, path, schema, body) => {
      const { response, text } = await send(deps, base, method, path, body);
      return readAnswer(base, response, text, schema);
    },
    href: (path) => join(base, path).href,
  };
}

function parseBase(url: string): URL {
  const base = URL.parse(url);
  if (base && (base.protocol === "http:" || base.protocol === "https:")) return base;
  throw new RdvError(
    "usage",
    `${JSON.stringify(url)} is not an http:// or https:// URL; check --control or RDV_CONTROL`,
  );
}

/** A path of the API below the base URL, which may have a path of its own. */
function join(base: URL, path: string): URL {
  return new URL(base.pathname.replace(/\/$/, "") + path, base);
}

async function send(
  deps: ApiDeps,
  base: URL,
  method: string,
  path: string,
  body: unknown,
): Promise<{ response: Response; text: string }> {
  const { token, signal } = deps;
  const timeout = AbortSignal.timeout(limits.requestMs);
  const headers = new Headers({ accept: "application/json" });
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  if (body !== undefined) headers.set("content-type", "application/json");
  try {
    const response = await (deps.fetch ?? fetch)(join(base, path), {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      redirect: "error",
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    return { response, text: await readText(response) };
  } catch (cause) {
    signal?.throwIfAborted();
    if (timeout.aborted)
      throw new RdvError(
        "timeout",
        `${base.origin} did not answer within ${limits.requestMs / 1_000} s; check --control and the network`,
        { cause },
      );
    // A way out of this network that does not work says so better itself.
    if (cause instanceof Error && cause.cause instanceof RdvError) throw cause.cause;
    if (cause instanceof RdvError) throw cause;
    throw new RdvError(
      "unreachable",
      `Cannot reach the control plane at ${base.origin} (${reasonOf(cause)}); is it running, is --control right?`,
      { cause },
    );
  }
}

/** The whole body; throws when it is longer than any answer of a control plane. */
async function readText({ body }: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > limits.answerBytes) throw new Error(`an answer of more than ${limits.answerBytes} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function readAnswer<T>(base: URL, response: Response, text: string, schema: z.ZodType<T>): T {
  const body = text === "" ? undefined : parseJson(text);
  const isJson = text === "" || body !== undefined;
  if (!isJson || (!response.ok && !isProblem(response))) throw notRdv(base, response);
  if (!response.ok) throw fromProblem(body, response.status, retryAfterMs(response));
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const asked = askedFor(parsed.error);
  if (asked === undefined) throw notRdv(base, response, parsed.error);
  throw new RdvError(
    "untrusted",
    `${base.origin} was asked about ${asked} and answers about something else; it is not believed, check --control`,
    { cause: parsed.error },
  );
}

/** Undefined when it is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isProblem(response: Response): boolean {
  return response.headers.get("content-type")?.startsWith("application/problem+json") ?? false;
}

function notRdv(base: URL, response: Response, cause?: unknown): RdvError {
  const type = response.headers.get("content-type") ?? "no content type";
  // A proxy in front of the control plane answers for it while it is away, so that is worth another try.
  const code = response.status >= 500 || response.status === 429 ? "unreachable" : "failed";
  const detail = `${base.origin} does not answer like an rdv control plane (HTTP status ${response.status}, ${type}); check --control`;
  return new RdvError(code, detail, { cause, ...retryOption(response) });
}

function retryOption(response: Response): { retryAfterMs?: number } {
  const after = retryAfterMs(response);
  return after === undefined ? {} : { retryAfterMs: after };
}

/** `Retry-After` in seconds (RFC 9110 section 10.2.3); dates are ignored. */
function retryAfterMs(response: Response): number | undefined {
  const seconds = Number(response.headers.get("retry-after"));
  return seconds > 0 ? seconds * 1_000 : undefined;
}

/** The most telling part of what `fetch` threw: the system's error code, if there is one. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof Error) return "code" in cause ? String(cause.code) : cause.message;
  return error.message;
}
