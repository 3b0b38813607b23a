import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { RelayId } from "../protocol/api.ts";
import { RdvError } from "../protocol/errors.ts";
import { readStateFile } from "../state/read-file.ts";
import { createStateFile } from "../state/write-file.ts";

/**
 * The relay's own id, made at the first start and kept in `stateDir`: tickets name it, so a relay that came back under
 * another id could not serve them. `choose` says it at the first start. Throws `failed` when the file cannot be read or
 * holds something else.
 */
export async function loadRelayId(
  stateDir: string,
  choose: () => Promise<string> | string = newRelayId,
): Promise<string> {
  const file = join(stateDir, "relay-id");
  const text = stored(file) ?? keepId(file, await choose());
  const known = RelayId.safeParse(text.trim());
  if (!known.success) throw new RdvError("failed", `${file} holds no relay id; delete it to get a new one`);
  return known.data;
}

/** An id that no relay has: 96 random bits. */
export function newRelayId(): string {
  return `r_${randomBytes(12).toString("hex")}`;
}

function stored(file: string): string | undefined {
  return readStateFile(file, { secret: false });
}

/** Of two relays started at once one wins, and both have its id. */
function keepId(file: string, id: string): string {
  return createStateFile(file, `${id}\n`) ? id : (stored(file) ?? id);
}
