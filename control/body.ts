import type * as z from "zod";
import { RdvError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";

/** The request's JSON body, checked; throws `too_large` or `bad_request` with the place of the first mistake. */
export async function readJson<T>(request: Request, schema: z.ZodType<T>): Promise<T> {
  return check(schema, parseJson(await readText(request)), "the body");
}

/** The request's query, checked; throws `bad_request` with the name of the first wrong parameter. */
export function readQuery<T>(request: Request, schema: z.ZodType<T>): T {
  return check(schema, Object.fromEntries(new URL(request.url).searchParams), "the query");
}

export function check<T>(schema: z.ZodType<T>, value: unknown, whole: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const place = issue?.path.length ? issue.path.join(".") : whole;
  throw new RdvError("bad_request", `${place}: ${issue?.message ?? "not well formed"}`);
}

/** Reads no more than `limits.bodyBytes`, whatever the header says. */
export async function readText(request: Request): Promise<string> {
  if (Number(request.headers.get("content-length") ?? 0) > limits.bodyBytes) throw tooLarge();
  const reader = request.body?.getReader();
  if (!reader) return "";
  const decoder = new TextDecoder();
  let text = "";
  for (let bytes = 0; ;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > limits.bodyBytes) throw tooLarge();
    text += decoder.decode(value, { stream: true });
  }
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RdvError("bad_request", "The body is not JSON", { cause });
  }
}

function tooLarge(): RdvError {
  return new RdvError("too_large", `The body is larger than ${limits.bodyBytes} bytes`);
}
