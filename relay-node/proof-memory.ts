import { RdvError } from "../protocol/errors.ts";
import type { CheckedProof } from "../protocol/proof.ts";

/** Takes note of a proof of this owner's at a time in seconds since 1970; throws as `createProofMemory` says. */
export type ProofMemory = (owner: string, proof: CheckedProof, at: number) => void;

/**
 * Makes the memory of proofs that were shown, each for as long as it could be shown again. An owner may have as many
 * in it as there is room for more: one owner who floods the relay gets half of it, another one half of the rest, and
 * there is always room for one who has none yet. Throws `proof_invalid` for a proof that it knows, and `too_many` for one beyond the
 * owner's share of the `size`.
 */
export function createProofMemory(size: number): ProofMemory {
  const shown = new Map<string, { readonly owner: string; readonly until: number }>();
  const held = new Map<string, number>();

  /** In the order in which they came, which is nearly that in which they end. */
  function forgetOld(at: number): void {
    for (const [id, { owner, until }] of shown) {
      if (until >= at) return;
      shown.delete(id);
      count(owner, -1);
    }
  }

  function count(owner: string, change: 1 | -1): void {
    const now = (held.get(owner) ?? 0) + change;
    if (now === 0) held.delete(owner);
    else held.set(owner, now);
  }

  return (owner, { id, until }, at) => {
    forgetOld(at);
    if (shown.has(id)) throw new RdvError("proof_invalid", "The proof was shown before; each is good once");
    if ((held.get(owner) ?? 0) >= size - shown.size)
      throw new RdvError("too_many", "Too many proofs of one account at once; try again");
    shown.set(id, { owner, until });
    count(owner, 1);
  };
}
