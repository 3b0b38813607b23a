import type { ErrorCode } from "../protocol/errors.ts";
import { RdvError } from "../protocol/errors.ts";

/** An expected result between objects: errors are values, because a call between objects forgets an error's class. */
export type Outcome<T> = { readonly ok: true; readonly value: T } | Refusal;

export interface Refusal {
  readonly ok: false;
  readonly code: ErrorCode;
  readonly detail: string;
}

export function done<T>(value: T): Outcome<T> {
  return { ok: true, value };
}

export function refuse(code: ErrorCode, detail: string): Refusal {
  return { ok: false, code, detail };
}

/** The value, or the refusal as the error that the app answers with. */
export function unwrap<T>(outcome: Outcome<T>): T {
  if (outcome.ok) return outcome.value;
  throw new RdvError(outcome.code, outcome.detail);
}
