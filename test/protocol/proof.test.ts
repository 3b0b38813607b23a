import assert from "node:assert/strict";
import { test } from "node:test";
import { SignJWT, calculateJwkThumbprint, exportJWK, generateKeyPair } from "jose";
import type { CryptoKey } from "jose";
import { limits } from "../../protocol/limits.ts";
import { checkProof, createProofKey } from "../../protocol/proof.ts";
import type { ProvenRequest } from "../../protocol/proof.ts";
import { importSigningKey, signTicket } from "../../protocol/tickets.ts";
import type { Ticket } from "../../protocol/tickets.ts";

const now = Date.UTC(2026, 0, 1);

async function ticketFor(jkt: string | undefined): Promise<string> {
  const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const key = await importSigningKey({ ...(await exportJWK(privateKey)), kid: "k" });
  const ticket: Ticket = {
    kind: "agent",
    relay: "r_aaaaaaaa",
    session: "s_aaaaaaaaaaaaaaaaaaaa",
    owner: "a_a",
    name: "n",
    clientPort: null,
    epoch: 1,
    allow: [],
    once: false,
    pairs: 1,
    expires: now / 1_000 + 60,
  };
  return await signTicket(jkt === undefined ? ticket : { ...ticket, cnf: { jkt } }, key);
}

async function proven(): Promise<{ request: ProvenRequest; proof: string; thumbprint: string }> {
  const key = await createProofKey({ now: () => now });
  const { thumbprint } = key;
  const request = { kind: "agent", host: "Relay.test:8788", ticket: await ticketFor(thumbprint) } as const;
  return { request, proof: await key.prove(request), thumbprint };
}

function refused(message: RegExp): object {
  return { name: "RdvError", code: "proof_invalid", message };
}

test("a proof is good for its request, in its time, and has an id of its own", async () => {
  const { request, proof, thumbprint } = await proven();
  const seconds = now / 1_000;
  const checked = await checkProof(proof, { ...request, host: "relay.test:8788" }, thumbprint, now);
  assert.equal(checked.issued, seconds);
  assert.equal(checked.until, seconds + limits.proofSeconds);
  assert.match(checked.id, new RegExp(`^${thumbprint}\\.[\\w-]{22}$`));
  for (const offset of [-1, 1])
    await checkProof(proof, request, thumbprint, now + offset * limits.proofSeconds * 1_000);
});

test("a proof is good for no other path, address, ticket, key or time", async () => {
  const { request, proof, thumbprint } = await proven();
  const check = async (change: Partial<ProvenRequest>, jkt = thumbprint, at = now): Promise<unknown> =>
    checkProof(proof, { ...request, ...change }, jkt, at);
  await assert.rejects(check({ kind: "client" }), refused(/another address/));
  await assert.rejects(check({ host: "relay.test:8789" }), refused(/another address/));
  await assert.rejects(check({ ticket: await ticketFor(thumbprint) }), refused(/another ticket/));
  const other = await createProofKey();
  await assert.rejects(check({}, other.thumbprint), refused(/another key/));
  const tooFar = (limits.proofSeconds + 1) * 1_000;
  await assert.rejects(check({}, thumbprint, now + tooFar), refused(/61 s old.*clock/));
  await assert.rejects(check({}, thumbprint, now - tooFar), refused(/-61 s old.*clock/));
});

test("what is no proof is refused, however it is signed", async () => {
  const { request, proof, thumbprint } = await proven();
  const [head = "", body = "", signature = ""] = proof.split(".");
  const header = JSON.parse(Buffer.from(head, "base64url").toString()) as Record<string, unknown>;
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const wrong = [
    "",
    "x.y.z",
    `${proof}, ${proof}`,
    `${head}.${encode({})}.${signature}`,
    `${encode({ ...header, alg: "none" })}.${body}.`,
    `${encode({ ...header, typ: "JWT" })}.${body}.${signature}`,
    `${encode({ ...header, jwk: undefined })}.${body}.${signature}`,
  ];
  for (const text of wrong)
    await assert.rejects(checkProof(text, request, thumbprint, now), refused(/not a proof/), text);
});

test("a proof that shows its private key, or is signed with a shared secret, is refused", async () => {
  const { request } = await proven();
  const { privateKey } = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const jwk = await exportJWK(privateKey);
  const claims = { htm: "GET", htu: "http://relay.test:8788/v1/agent", ath: "x", jti: "0123456789abcdef" };
  const sign = async (alg: string, key: CryptoKey | Uint8Array, shown: object): Promise<string> =>
    new SignJWT(claims)
      .setProtectedHeader({ alg, typ: "dpop+jwt", jwk: shown })
      .setIssuedAt(new Date(now))
      .sign(key);
  const thumbprint = await calculateJwkThumbprint(jwk);
  const { d: _private, ...open } = jwk;
  const good = await sign("EdDSA", privateKey, open);
  await assert.rejects(checkProof(good, request, thumbprint, now), refused(/another ticket/));
  const secret = new Uint8Array(32);
  const shared = { kty: "oct", k: Buffer.from(secret).toString("base64url") };
  for (const proof of [await sign("EdDSA", privateKey, jwk), await sign("HS256", secret, shared)])
    await assert.rejects(checkProof(proof, request, thumbprint, now), refused(/not a proof/));
});

test("a key proves no ticket that is bound to another one, or to none", async () => {
  const key = await createProofKey();
  const other = await createProofKey();
  for (const jkt of [undefined, other.thumbprint]) {
    const request = { kind: "agent", host: "relay.test:1", ticket: await ticketFor(jkt) } as const;
    await assert.rejects(key.prove(request), refused(/not bound the ticket.*--plain/));
  }
  await key.prove({ kind: "agent", host: "relay.test:1", ticket: await ticketFor(key.thumbprint) });
});
