import {
  createHash,
  createPrivateKey,
  createPublicKey,
  randomBytes,
  sign,
  timingSafeEqual,
  verify,
} from "node:crypto";
import { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { RdvError } from "../../protocol/errors.ts";
import type { Identity } from "../tls/certificate.ts";
import { readExactly } from "./read-exactly.ts";

interface ProveOptions {
  readonly identity: Identity;
  /** Fingerprint of the other side's key. */
  readonly expect: string;
  /** What this connection is for, known to both sides: a proof of one attempt is none for another. */
  readonly context: string;
  readonly signal: AbortSignal;
}

/**
 * Both sides prove that they hold the keys of their identities, over fresh random numbers (mutual authentication of
 * ISO/IEC 9798-3), and the connection then carries plain bytes. For services that encrypt and authenticate
 * themselves: who can change packets on the way can still take the connection over afterwards, as any plain one.
 *
 *     client → agent   "rdv-key1", random C (32), key C (91)
 *     agent → client   random A (32), key A (91), signature (64) of "agent" and everything before
 *     client → agent   signature (64) of "client" and everything before
 *
 * Keys are SubjectPublicKeyInfo of P-256, signatures ECDSA with SHA-256. The agent says nothing to another key.
 * Throws `untrusted`, or what reading throws; the caller then destroys the socket.
 */
export async function proveAsClient(socket: Socket, options: ProveOptions): Promise<void> {
  const { identity, signal } = options;
  const hello = Buffer.concat([magic, randomBytes(randomSize), publicKeyOf(identity)]);
  socket.write(hello);
  const answer = await readExactly(socket, randomSize + keySize + signatureSize, signal);
  const theirs = answer.subarray(0, randomSize + keySize);
  const key = theirs.subarray(randomSize);
  checkKey(key, options.expect);
  const said = transcript(options.context, hello, theirs);
  checkSignature("agent", said, key, answer.subarray(randomSize + keySize));
  socket.write(signatureOf("client", said, identity));
}

/** The agent's side of `proveAsClient`. */
export async function proveAsAgent(socket: Socket, options: ProveOptions): Promise<void> {
  const { identity, signal } = options;
  const hello = await readExactly(socket, magic.length + randomSize + keySize, signal);
  if (!hello.subarray(0, magic.length).equals(magic)) throw untrusted("it does not begin as rdv does");
  const key = hello.subarray(magic.length + randomSize);
  checkKey(key, options.expect);
  const ours = Buffer.concat([randomBytes(randomSize), publicKeyOf(identity)]);
  const said = transcript(options.context, hello, ours);
  socket.write(Buffer.concat([ours, signatureOf("agent", said, identity)]));
  checkSignature("client", said, key, await readExactly(socket, signatureSize, signal));
}

const magic = Buffer.from("rdv-key1", "latin1");
const randomSize = 32;
const keySize = 91;
const signatureSize = 64;

/** IEEE P1363 signatures have one size, unlike those in DER. */
const encoding = { dsaEncoding: "ieee-p1363" } as const;

function publicKeyOf({ cert }: Identity): Buffer {
  const key = new X509Certificate(cert).publicKey.export({ type: "spki", format: "der" });
  if (key.length === keySize) return key;
  throw new RdvError(
    "failed",
    "the identity's key is not one of P-256; move its file away and a new one is made",
  );
}

function transcript(context: string, ...said: readonly Buffer[]): Buffer {
  const hash = createHash("sha256").update(`rdv direct\0${context}\0`);
  for (const part of said) hash.update(part);
  return hash.digest();
}

function signatureOf(role: "agent" | "client", said: Buffer, { key }: Identity): Buffer {
  return sign("sha256", signed(role, said), { key: createPrivateKey(key), ...encoding });
}

function checkSignature(role: "agent" | "client", said: Buffer, spki: Buffer, signature: Buffer): void {
  const key = createPublicKey({ key: spki, type: "spki", format: "der" });
  if (!verify("sha256", signed(role, said), { key, ...encoding }, signature))
    throw untrusted("it does not hold the key that it shows");
}

function signed(role: "agent" | "client", said: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`rdv direct ${role}\0`, "latin1"), said]);
}

function checkKey(spki: Buffer, expected: string): void {
  const shown = createHash("sha256").update(spki).digest();
  const wanted = Buffer.from(expected, "base64url");
  if (wanted.length !== shown.length || !timingSafeEqual(shown, wanted))
    throw untrusted("it shows another key");
}

function untrusted(why: string): RdvError {
  return new RdvError("untrusted", `The other side of a direct connection is not the expected one: ${why}`);
}
