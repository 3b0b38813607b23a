import { STATUS_CODES } from "node:http";
import { errorRules, toProblem } from "../protocol/errors.ts";
import type { RdvError } from "../protocol/errors.ts";

/** Seconds after which a refused half may try again, for errors that pass by themselves. */
const retryAfterSeconds = 1;

/** A refusal as a whole HTTP answer, for a socket that Node's HTTP server has already given away. */
export function formatRefusal(error: RdvError): string {
  const body = JSON.stringify(toProblem(error));
  const { status } = errorRules[error.code];
  const headers = Object.entries(refusalHeaders(error, body)).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Refused"}\r\n${headers.join("")}\r\n${body}`;
}

/** Headers of a problem document (RFC 9457); the connection ends after it. */
export function refusalHeaders(error: RdvError, body: string): Record<string, string> {
  return {
    "Content-Type": "application/problem+json",
    "Content-Length": String(Buffer.byteLength(body)),
    Connection: "close",
    ...(errorRules[error.code].retry ? { "Retry-After": String(retryAfterSeconds) } : {}),
    // RFC 9110 section 15.5.22: a 426 names the protocol it wants.
    ...(error.code === "upgrade_required" ? { Upgrade: "rdv/1" } : {}),
  };
}
