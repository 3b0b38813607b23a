import { RdvError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { checkProof } from "../protocol/proof.ts";
import type { ProvenRequest } from "../protocol/proof.ts";
import type { Ticket } from "../protocol/tickets.ts";
import { createProofMemory } from "./proof-memory.ts";
import type { TicketTries } from "./ticket-tries.ts";

interface ProofGateOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Bounds what one source may have checked. */
  readonly tries: TicketTries;
  /** Proofs that are remembered at once; default `limits.proofsRemembered`. */
  readonly remembered?: number;
}

/** Checks that who shows a ticket is the one it was made for. */
export interface ProofGate {
  /**
   * Passes a ticket that is bound to no key, and one whose proof is good and comes for the first time. Throws
   * `proof_invalid`, or `too_many` when `source` showed too many wrong ones or no more of its owner can be remembered now.
   */
  check(ticket: Ticket, source: string, proof: string | undefined, request: ProvenRequest): Promise<void>;
}

/**
 * Makes the gate of one relay. It remembers every proof for as long as that could be shown again, and takes none from
 * before its own start: what was shown then is not known any more.
 */
export function createProofGate({
  now,
  tries,
  remembered = limits.proofsRemembered,
}: ProofGateOptions): ProofGate {
  const remember = createProofMemory(remembered);
  const startedAt = Math.floor(now() / 1_000);

  return {
    async check({ cnf, owner }, source, proof, request) {
      if (!cnf) return;
      if (proof === undefined)
        throw new RdvError("proof_invalid", "The ticket is bound to a key: send a proof in the header DPoP");
      const checked = await tries(source, async () => checkProof(proof, request, cnf.jkt, now()));
      if (checked.issued < startedAt)
        throw new RdvError("proof_invalid", "The proof is older than this relay's memory; make a new one");
      remember(owner, checked, Math.floor(now() / 1_000));
    },
  };
}
