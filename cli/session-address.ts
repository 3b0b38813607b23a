import { Fingerprint } from "../protocol/api.ts";
import { RdvError } from "../protocol/errors.ts";

/** A session as a client names it. */
export interface SessionAddress {
  /** Name or id. */
  readonly session: string;
  /** Of the only key that its agent may have. */
  readonly agentKey: string | undefined;
}

/** Reads `NAME`, an id, or either with `#FINGERPRINT`; throws `usage` and says what is wrong. */
export function parseSessionAddress(text: string): SessionAddress {
  const [session = "", agentKey, ...more] = text.split("#");
  if (!/^[a-z0-9][a-z0-9_-]{0,62}$/.test(session) || more.length > 0)
    throw new RdvError("usage", `"${text}" is not a session: write its name, or NAME#FINGERPRINT`);
  if (agentKey === undefined || Fingerprint.safeParse(agentKey).success) return { session, agentKey };
  throw new RdvError(
    "usage",
    `"${agentKey}" is not the fingerprint of a key: it has 43 letters, digits, - and _`,
  );
}
