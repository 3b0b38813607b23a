import { lookup } from "node:dns/promises";
import { RdvError } from "../protocol/errors.ts";
import { targetKind } from "../protocol/target-kind.ts";
import type { TargetKind } from "../protocol/target-kind.ts";
import type { Target } from "./target.ts";

/** A target whose name has been looked up once: these addresses are dialled, whatever the name means later. */
export interface PinnedTarget extends Target {
  readonly addresses: readonly string[];
  /** The most delicate kind among its addresses. */
  readonly kind: TargetKind;
}

/** More addresses of one name than anybody reads. */
const mostAddresses = 8;

/** Looks a target's name up. Throws `unreachable` for a name without address, `usage` for an address of no machine. */
export async function pinTarget(target: Target): Promise<PinnedTarget> {
  const { host, label } = target;
  const found = await lookup(host, { all: true }).catch((cause: unknown) => {
    throw new RdvError("unreachable", `${label}: no such host name here; write its address`, { cause });
  });
  const addresses = [...new Set(found.map(({ address }) => address))].slice(0, mostAddresses);
  const kinds = addresses.map(targetKind);
  if (kinds.includes("none"))
    throw new RdvError("usage", `${label} is no address of one machine: write localhost, or that machine's`);
  return { ...target, addresses, kind: kinds.find((kind) => kind !== "plain") ?? "plain" };
}

/** A target as it is agreed to: its name with what is dialled for it. */
export function pinnedLabel({ host, label, addresses }: PinnedTarget): string {
  return addresses.length === 1 && addresses[0] === host ? label : `${label} (${addresses.join(", ")})`;
}
