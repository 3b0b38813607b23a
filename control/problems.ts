import type { ErrorCode } from "../protocol/errors.ts";
import { RdvError, toProblem } from "../protocol/errors.ts";

/** Headers that every answer carries: nothing here is a page, nothing may be cached or guessed at. */
export const securityHeaders: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "strict-transport-security": "max-age=31536000",
  "x-content-type-options": "nosniff",
};

/** The answer for an error: a problem document (RFC 9457). */
export function problemAnswer(error: RdvError): Response {
  const problem = toProblem(error);
  const headers = new Headers({ ...securityHeaders, "content-type": "application/problem+json" });
  if (error.code === "unauthorized") headers.set("www-authenticate", 'Bearer realm="rdv"');
  if (error.code === "upgrade_required") headers.set("upgrade", "websocket");
  if (error.retryAfterMs !== undefined)
    headers.set("retry-after", String(Math.ceil(error.retryAfterMs / 1_000)));
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
}

/** The answer for an error that an object found. */
export function problemResponse(code: ErrorCode, detail: string): Response {
  return problemAnswer(new RdvError(code, detail));
}
