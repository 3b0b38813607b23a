import { generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import { join } from "node:path";
import * as z from "zod";
import { SigningJwk, TimedKey } from "../control/signing-keys.ts";
import { RdvError } from "../protocol/errors.ts";
import { readStateFile } from "../state/read-file.ts";
import { createStateFile, writeStateFile } from "../state/write-file.ts";

/** What the control plane must never lose: the keys that sign tickets, and the owner's key. */
export interface Secrets {
  readonly signingKeys: readonly TimedKey[];
  readonly ownerToken: string;
}

const Stored = z.union([
  z.object({ signingKeys: z.array(TimedKey).min(1), ownerToken: z.string() }),
  // Before there were several: one key, which has always signed.
  z
    .object({ signingKey: SigningJwk, ownerToken: z.string() })
    .transform(({ signingKey, ownerToken }) => ({ signingKeys: [always(signingKey)], ownerToken })),
]);

/** Reads the secrets of a state directory, or makes them at the first run (file mode 0600). */
export function loadSecrets(stateDir: string): Secrets {
  const path = pathIn(stateDir);
  const text = readStateFile(path, { secret: true });
  if (text !== undefined) return parseSecrets(text, path);
  const secrets = createSecrets();
  return createStateFile(path, JSON.stringify(secrets)) ? secrets : loadSecrets(stateDir);
}

/** Puts changed secrets in the place of those that `loadSecrets` gave; to be called inside `changeState`. */
export function saveSecrets(stateDir: string, secrets: Secrets): void {
  writeStateFile(pathIn(stateDir), JSON.stringify(secrets));
}

/** New random secrets. */
export function createSecrets(): Secrets {
  return {
    signingKeys: [always(newSigningKey())],
    ownerToken: `rdv_admin_${randomBytes(32).toString("base64url")}`,
  };
}

/** A new random key for tickets. */
export function newSigningKey(): SigningJwk {
  const { privateKey } = generateKeyPairSync("ed25519");
  return SigningJwk.parse({ ...privateKey.export({ format: "jwk" }), kid: randomUUID() });
}

function always(jwk: SigningJwk): TimedKey {
  return { jwk, signsFrom: 0 };
}

function pathIn(stateDir: string): string {
  return join(stateDir, "secrets.json");
}

function parseSecrets(text: string, path: string): Secrets {
  try {
    return Stored.parse(JSON.parse(text));
  } catch (cause) {
    throw new RdvError(
      "failed",
      `${path} is damaged: restore it, or remove the state directory to start anew`,
      { cause },
    );
  }
}
