import type { DirectMiss } from "../../protocol/connect.ts";
import { RdvError } from "../../protocol/errors.ts";
import type { ErrorCode } from "../../protocol/errors.ts";

interface MissRule {
  /** What a client is told that has no relay to take. */
  readonly code: ErrorCode;
  /** Behind "not directly, because" and before a full stop. */
  readonly because: string;
}

const missRules = {
  off: { code: "unsupported", because: "--direct is off" },
  starting: { code: "timeout", because: "a direct connection is still being made" },
  agent_off: { code: "unsupported", because: "the agent has --direct off" },
  busy: { code: "too_many", because: "the agent is making many direct connections" },
  old: { code: "unsupported", because: "the agent knows nothing of direct connections" },
  limited: { code: "unsupported", because: "the session has limits that only relays keep" },
  no_address: { code: "unsupported", because: "one side has no address at which it could be met" },
  no_agent: { code: "no_agent", because: "the agent did not answer" },
  symmetric: { code: "unsupported", because: "a NAT shows every destination another port (symmetric)" },
  timed_out: { code: "timeout", because: "both sides dialled and neither got through" },
  refused: { code: "untrusted", because: "somebody else answered at the agent's addresses" },
  no_control: { code: "unreachable", because: "the control plane did not pass the offer on" },
} as const satisfies Record<DirectMiss, MissRule>;

/** Why it is not direct, for people. */
export function becauseOf(miss: DirectMiss): string {
  return missRules[miss].because;
}

/** The error for a client that wants nothing but a direct connection. */
export function missError(miss: DirectMiss): RdvError {
  const { code, because } = missRules[miss];
  return new RdvError(code, `no direct connection: ${because}; with --direct auto the relay is taken then`);
}
