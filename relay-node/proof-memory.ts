import { RdvError } from "../protocol/errors.ts";
import type { CheckedProof } from "../protocol/proof.ts";
import { createShares } from "../protocol/shares.ts";
import type { Place } from "../protocol/shares.ts";

/** Takes note of a proof of this owner's at a time in seconds since 1970; throws as `createProofMemory` says. */
export type ProofMemory = (owner: string, proof: CheckedProof, at: number) => void;

/**
 * Makes the memory of proofs that were shown, each for as long as it could be shown again. Owners share its `size`: one
 * who floods the relay gets half of it, another one half of the rest, and there is always room for one who has none yet.
 * Throws `proof_invalid` for a proof that it knows, and `too_many` for one beyond the owner's share.
 */
export function createProofMemory(size: number): ProofMemory {
  const shown = new Map<string, { readonly place: Place; readonly until: number }>();
  const shares = createShares({ max: size, greed: 1 });

  /** In the order in which they came, which is nearly that in which they end. */
  function forgetOld(at: number): void {
    for (const [id, { place, until }] of shown) {
      if (until >= at) return;
      shown.delete(id);
      shares.give(place);
    }
  }

  return (owner, { id, until }, at) => {
    forgetOld(at);
    if (shown.has(id)) throw new RdvError("proof_invalid", "The proof was shown before; each is good once");
    const place = shares.take(owner);
    if (!place) throw new RdvError("too_many", "Too many proofs of one account at once; try again");
    shown.set(id, { place, until });
  };
}
