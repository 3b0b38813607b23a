import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { loadSecrets } from "../../embedded/secrets.ts";
import { createSigningKeyStore } from "../../embedded/signing-key-store.ts";
import { overlapSeconds } from "../../control/signing-keys.ts";
import { limits } from "../../protocol/limits.ts";
import { writeStateFile } from "../../state/write-file.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";

test("secrets with one signing key are read as a list of one, which signs at once", async () => {
  await using dir = await createTempDir();
  const { signingKeys, ownerToken } = loadSecrets(dir.path);
  const old = JSON.stringify({ signingKey: signingKeys[0]?.jwk, ownerToken });
  writeStateFile(join(dir.path, "secrets.json"), old);
  assert.deepEqual(loadSecrets(dir.path), { signingKeys, ownerToken });
});

test("a rotation is kept in the state directory, and the key that was dropped is removed by the next one", async () => {
  await using dir = await createTempDir();
  let now = Date.now();
  const store = createSigningKeyStore(dir.path, () => now);
  const first = store.read().signing.kid;
  const second = store.rotate().kid;
  assert.equal(store.read().signing.kid, first);
  now += limits.signingKeyDelaySeconds * 1_000;
  assert.equal(createSigningKeyStore(dir.path, () => now).read().signing.kid, second, "after a restart");
  now += overlapSeconds * 1_000;
  const third = store.rotate().kid;
  const kept = loadSecrets(dir.path).signingKeys.map(({ jwk }) => jwk.kid);
  assert.deepEqual(kept, [second, third]);
});
