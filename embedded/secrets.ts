import { generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import { join } from "node:path";
import type { JWK } from "jose";
import * as z from "zod";
import { RdvError } from "../protocol/errors.ts";
import { readStateFile } from "../state/read-file.ts";
import { createStateFile } from "../state/write-file.ts";

/** What the control plane must never lose: the key that signs tickets, and the owner's key. */
export interface Secrets {
  readonly signingKey: JWK;
  readonly ownerToken: string;
}

const Stored = z.object({
  signingKey: z.looseObject({ kty: z.literal("OKP"), kid: z.string(), d: z.string() }),
  ownerToken: z.string(),
});

/** Reads the secrets of a state directory, or makes them at the first run (file mode 0600). */
export function loadSecrets(stateDir: string): Secrets {
  const path = join(stateDir, "secrets.json");
  const text = readStateFile(path, { secret: true });
  if (text !== undefined) return parseSecrets(text, path);
  const secrets = createSecrets();
  return createStateFile(path, JSON.stringify(secrets)) ? secrets : loadSecrets(stateDir);
}

/** New random secrets. */
export function createSecrets(): Secrets {
  const { privateKey } = generateKeyPairSync("ed25519");
  return {
    signingKey: { ...privateKey.export({ format: "jwk" }), kid: randomUUID() },
    ownerToken: `rdv_admin_${randomBytes(32).toString("base64url")}`,
  };
}

function parseSecrets(text: string, path: string): Secrets {
  try {
    const { signingKey, ownerToken } = Stored.parse(JSON.parse(text));
    return { signingKey, ownerToken };
  } catch (cause) {
    throw new RdvError(
      "failed",
      `${path} is damaged: restore it, or remove the state directory to start anew`,
      { cause },
    );
  }
}
