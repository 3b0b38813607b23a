import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createOutput } from "../../cli/output.ts";
import { relayIdentity } from "../../cli/relay-identity.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";

const silent = { json: false, quiet: true, verbose: false };
const output = createOutput(
  {
    stdout: () => {},
    stderr: () => {},
    env: {},
    signal: new AbortController().signal,
  } as unknown as Parameters<typeof createOutput>[0], // an output uses the two streams alone
  silent,
);

test("beyond loopback a relay has a key that it keeps; on loopback and with --no-tls it has none", async () => {
  await using folder = await createTempDir();
  const of = (host: string, tls = true): string | undefined =>
    relayIdentity({ host, tls }, folder.path, output)?.fingerprint;
  for (const host of ["127.0.0.1", "localhost", "::1"]) assert.equal(of(host), undefined);
  assert.equal(of("0.0.0.0", false), undefined);
  const first = of("0.0.0.0");
  assert.match(first ?? "", /^[\w-]{43}$/);
  for (const host of ["::", "127.example.org"]) assert.equal(of(host), first);
  assert.equal((await stat(join(folder.path, "relay-identity.pem"))).mode & 0o777, 0o600);
});

test("a certificate of the operator's is taken on loopback, too, and never half or against --no-tls", async () => {
  await using folder = await createTempDir();
  const own = relayIdentity({ host: "0.0.0.0", tls: true }, folder.path, output);
  const file = join(folder.path, "relay-identity.pem");
  const options = { host: "127.0.0.1", tls: true, tlsCert: file, tlsKey: file };
  assert.equal(relayIdentity(options, folder.path, output)?.fingerprint, own?.fingerprint);
  const usage = { name: "RdvError", code: "usage" };
  assert.throws(() => relayIdentity({ ...options, tls: false }, folder.path, output), usage);
  assert.throws(() => relayIdentity({ ...options, tlsKey: undefined }, folder.path, output), usage);
  assert.throws(() => relayIdentity({ ...options, tlsCert: undefined }, folder.path, output), usage);
});
