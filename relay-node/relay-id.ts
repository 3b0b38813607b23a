import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RelayId } from "../protocol/api.ts";
import { RdvError } from "../protocol/errors.ts";

/**
 * The relay's own id, made at the first start and kept in `stateDir`: tickets name it, so a relay that came back under
 * another id could not serve them. `choose` says it at the first start. Throws `failed` when the file cannot be read or holds something else.
 */
export async function loadRelayId(
  stateDir: string,
  choose: () => Promise<string> | string = newRelayId,
): Promise<string> {
  const file = join(stateDir, "relay-id");
  const text = (await readIfThere(file)) ?? (await keepId(stateDir, file, await choose()));
  const known = RelayId.safeParse(text.trim());
  if (!known.success) throw new RdvError("failed", `${file} holds no relay id; delete it to get a new one`);
  return known.data;
}

/** An id that no relay has: 96 random bits. */
export function newRelayId(): string {
  return `r_${randomBytes(12).toString("hex")}`;
}

/** Linked when it is whole: a full disk or a kill leaves no half id, and of two relays started at once one wins. */
async function keepId(stateDir: string, file: string, id: string): Promise<string> {
  const whole = `${file}.${randomBytes(6).toString("hex")}`;
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    await writeFile(whole, `${id}\n`, { mode: 0o600 });
    await link(whole, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST")
      throw new RdvError("failed", `Cannot write ${file}: ${(error as Error).message}`, { cause: error });
  } finally {
    await rm(whole, { force: true });
  }
  return await readFile(file, "utf8");
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new RdvError("failed", `Cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}
