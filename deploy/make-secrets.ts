/**
 * Makes the secrets of a new control plane: `node deploy/make-secrets.ts | npx wrangler secret bulk`.
 * On stdout what the Worker gets, as JSON; on stderr the operator's token, which is kept nowhere.
 */
import { createHash } from "node:crypto";
import { createSecrets } from "../embedded/secrets.ts";

if (process.stdout.isTTY) {
  process.stderr.write(
    "The signing key must not stand on a screen: node deploy/make-secrets.ts | npx wrangler secret bulk\n",
  );
  process.exitCode = 2;
} else {
  const { signingKey, ownerToken } = createSecrets();
  const secrets = {
    RDV_SIGNING_KEY: JSON.stringify(signingKey),
    RDV_ADMIN_KEY_HASH: createHash("sha256").update(ownerToken).digest("hex"),
  };
  process.stdout.write(`${JSON.stringify(secrets)}\n`);
  process.stderr.write(
    `The operator's token, shown this once; keep it in a password manager, then run rdv login:\n${ownerToken}\n`,
  );
}
