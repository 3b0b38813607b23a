import type { Session } from "../protocol/api.ts";
import { addressOn } from "../protocol/api.ts";

/** A session for people, one fact a line. */
export function describeSession(session: Session): string[] {
  const { policy, placements } = session;
  const facts: readonly (readonly [string, string])[] = [
    ["name", session.name],
    ["id", session.id],
    ["address", session.address],
    [
      "relays",
      placements
        .map((placement) => `${placement.relay} (${placement.region}, ${addressOn(placement, session.name)})`)
        .join(", "),
    ],
    ["state", session.state],
    ["target", session.target],
    ["allowed", policy.allow.length === 0 ? "every address" : policy.allow.join(", ")],
    ["limits", limitsOf(policy)],
    ["created", session.createdAt],
    ["ends", session.expiresAt ?? "when it is ended"],
    ["agent seen", session.seenAt ?? "never"],
  ];
  return facts.map(([name, value]) => `${name.padEnd(11)} ${value}`);
}

function limitsOf({ once, pairs, connectsPerSecond, bytes }: Session["policy"]): string {
  return [
    once ? "one connection ever" : `${pairs} connections at once`,
    ...(connectsPerSecond === undefined ? [] : [`${connectsPerSecond} new ones a second`]),
    ...(bytes === undefined ? [] : [`${bytes} bytes`]),
  ].join(", ");
}
