/**
 * Makes the secrets of a new control plane: `node deploy/make-secrets.ts | npx wrangler secret bulk`.
 * On stdout what the Worker gets, as JSON; on stderr the operator's token, which is kept nowhere.
 * With `--signing-key` it makes a signing key alone, for a rotation.
 */
import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { createSecrets, newSigningKey } from "../embedded/secrets.ts";

const { values } = parseArgs({ options: { "signing-key": { type: "boolean", default: false } } });

if (process.stdout.isTTY) {
  process.stderr.write(
    values["signing-key"]
      ? "The signing key must not stand on a screen: (umask 077; node deploy/make-secrets.ts --signing-key > new-key.json)\n"
      : "The signing key must not stand on a screen: node deploy/make-secrets.ts | npx wrangler secret bulk\n",
  );
  process.exitCode = 2;
} else if (values["signing-key"]) {
  process.stdout.write(`${JSON.stringify(newSigningKey())}\n`);
} else {
  const { signingKeys, ownerToken } = createSecrets();
  const secrets = {
    RDV_SIGNING_KEY: JSON.stringify(signingKeys[0]?.jwk),
    RDV_ADMIN_KEY_HASH: createHash("sha256").update(ownerToken).digest("hex"),
  };
  process.stdout.write(`${JSON.stringify(secrets)}\n`);
  process.stderr.write(
    `The operator's token, shown this once; keep it in a password manager, then run rdv login:\n${ownerToken}\n`,
  );
}
