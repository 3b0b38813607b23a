import * as z from "zod";
import { isPrintable, printable } from "./printable.ts";

/** One row of the closed error list: what an error means on HTTP, on the command line and for a retry. */
interface ErrorRule {
  readonly status: number;
  readonly exit: 1 | 2;
  readonly retry: boolean;
  readonly title: string;
}

/** The closed list of errors. `retry` says whether the same request may succeed later without a change. */
export const errorRules = {
  bad_request: { status: 400, exit: 2, retry: false, title: "The request is not well formed" },
  usage: { status: 400, exit: 2, retry: false, title: "The command line is not well formed" },
  unauthorized: { status: 401, exit: 1, retry: false, title: "The token is missing or not valid" },
  ticket_invalid: { status: 401, exit: 1, retry: false, title: "The ticket is not valid" },
  ticket_expired: { status: 401, exit: 1, retry: false, title: "The ticket has expired" },
  proof_invalid: {
    status: 401,
    exit: 1,
    retry: false,
    title: "The proof that the ticket is the sender's own is missing or not valid",
  },
  untrusted: { status: 401, exit: 1, retry: false, title: "The other side has not the expected key" },
  forbidden: { status: 403, exit: 1, retry: false, title: "Not allowed with this token" },
  not_found: { status: 404, exit: 1, retry: false, title: "No such thing" },
  timeout: { status: 408, exit: 1, retry: true, title: "No answer in time" },
  name_taken: { status: 409, exit: 1, retry: false, title: "The name is in use" },
  port_taken: { status: 409, exit: 1, retry: false, title: "The port belongs to another session" },
  port_unavailable: { status: 409, exit: 1, retry: false, title: "The relay cannot listen on that port" },
  replaced: { status: 409, exit: 1, retry: false, title: "A newer agent has taken over this session" },
  ended: { status: 410, exit: 1, retry: false, title: "The session has ended" },
  relay_busy: { status: 409, exit: 1, retry: false, title: "The relay still carries sessions" },
  too_large: { status: 413, exit: 1, retry: false, title: "The request is too large" },
  wrong_relay: { status: 421, exit: 1, retry: false, title: "The ticket is for another relay" },
  wrong_host: { status: 421, exit: 1, retry: false, title: "This server does not go by that name" },
  upgrade_required: { status: 426, exit: 1, retry: false, title: "This address wants an upgrade" },
  too_many: { status: 429, exit: 1, retry: true, title: "Too many requests" },
  quota: { status: 429, exit: 1, retry: false, title: "The account's quota is used up" },
  internal: { status: 500, exit: 1, retry: true, title: "Something went wrong on the server" },
  target_refused: { status: 502, exit: 1, retry: true, title: "The local service does not answer" },
  no_relay: { status: 503, exit: 1, retry: true, title: "No relay can take the session" },
  draining: { status: 503, exit: 1, retry: true, title: "The relay is being drained" },
  full: { status: 503, exit: 1, retry: true, title: "The relay or the session is full" },
  not_configured: {
    status: 503,
    exit: 1,
    retry: false,
    title: "The control plane has no authentication configured",
  },
  unreachable: { status: 503, exit: 1, retry: true, title: "The other side cannot be reached" },
  no_agent: { status: 504, exit: 1, retry: true, title: "No agent answered for the session" },
  state_locked: { status: 409, exit: 1, retry: false, title: "The state directory is in use" },
  port_in_use: { status: 409, exit: 1, retry: false, title: "Another program listens on that port" },
  unsupported: { status: 501, exit: 1, retry: false, title: "Not possible on this system" },
  failed: { status: 500, exit: 1, retry: false, title: "Failed" },
} as const satisfies Record<string, ErrorRule>;

export type ErrorCode = keyof typeof errorRules;

/** The one error class: a code of the closed list, and one line that says what happened and what to do next. */
export class RdvError extends Error {
  override readonly name = "RdvError";
  readonly code: ErrorCode;
  /** Milliseconds the other side asked us to wait before a retry (HTTP `Retry-After`). */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message?: string, options: { cause?: unknown; retryAfterMs?: number } = {}) {
    super(message ?? errorRules[code].title, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }
}

const codes = Object.keys(errorRules) as [ErrorCode, ...ErrorCode[]]; // Object.keys forgets the literal keys

/** Text for people. */
const words = (longest: number) => z.string().max(longest).refine(isPrintable, "has hidden characters in it");
const longestDetail = 2_000;

/** Problem details for HTTP APIs (RFC 9457) with the code of the closed list as an extension member. */
export const Problem = z.object({
  type: words(100),
  title: words(200),
  status: z.number().int(),
  detail: words(longestDetail),
  code: z.enum(codes),
});
export type Problem = z.infer<typeof Problem>;

/** The problem document of an error. */
export function toProblem(error: RdvError): Problem {
  const { status, title } = errorRules[error.code];
  return {
    type: `urn:rdv:error:${error.code}`,
    title,
    status,
    detail: printable(error.message, longestDetail - 1),
    code: error.code,
  };
}

/** The error that a problem document tells of; an unknown document becomes `fallback` with the HTTP status. */
export function fromProblem(body: unknown, status: number, retryAfterMs?: number): RdvError {
  const options = retryAfterMs === undefined ? {} : { retryAfterMs };
  const parsed = Problem.safeParse(body);
  if (parsed.success) return new RdvError(parsed.data.code, parsed.data.detail, options);
  const code: ErrorCode =
    status === 401
      ? "unauthorized"
      : status === 404
        ? "not_found"
        : status === 429
          ? "too_many"
          : status >= 500
            ? "internal"
            : "failed";
  return new RdvError(code, `HTTP status ${status} without an explanation`, options);
}
