import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RelayId } from "../protocol/api.ts";
import { RdvError } from "../protocol/errors.ts";

/**
 * The relay's own id, made at the first start and kept in `stateDir`: tickets name it, so a relay that came back under
 * another id could not serve them. Throws `failed` when the file cannot be read or holds something else.
 */
export async function loadRelayId(stateDir: string): Promise<string> {
  const file = join(stateDir, "relay-id");
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  try {
    // Exclusive, so that of two relays started at once one makes the id and the other reads it.
    await writeFile(file, `r_${randomBytes(12).toString("hex")}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST")
      throw new RdvError("failed", `Cannot write ${file}: ${(error as Error).message}`, { cause: error });
  }
  const id = RelayId.safeParse((await readFile(file, "utf8")).trim());
  if (!id.success) throw new RdvError("failed", `${file} holds no relay id; delete it to get a new one`);
  return id.data;
}
