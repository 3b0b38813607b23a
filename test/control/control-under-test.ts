import { createHash } from "node:crypto";
import { exportJWK, generateKeyPair } from "jose";

/** A control plane that a test started, whatever host it runs on. */
export interface ControlUnderTest extends AsyncDisposable {
  /** Base URL; another one after a restart, maybe. */
  url(): string;
  /** Ends the process or its like and starts it again on the same state. */
  restart(): Promise<void>;
}

export interface ControlSecrets {
  readonly RDV_SIGNING_KEY?: string;
  readonly RDV_SIGNING_KEY_OTHER?: string;
  readonly RDV_ADMIN_KEY_HASH?: string;
}

export type StartControl = (secrets: ControlSecrets) => Promise<ControlUnderTest>;

export const adminToken = "rdv_admin_0123456789abcdefghij";

/** Fresh secrets of a control plane whose administrator has `adminToken`. */
export async function createSecrets(): Promise<Required<Omit<ControlSecrets, "RDV_SIGNING_KEY_OTHER">>> {
  const { privateKey } = await generateKeyPair("EdDSA", { extractable: true });
  const jwk = { ...(await exportJWK(privateKey)), kid: "test" };
  return { RDV_SIGNING_KEY: JSON.stringify(jwk), RDV_ADMIN_KEY_HASH: sha256(adminToken) };
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
