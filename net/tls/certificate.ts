import { createHash, generateKeyPairSync, randomBytes, sign, X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { bitString, context, generalizedTime, integer, oid, sequence, set, utf8String } from "./der.ts";

/** A key and the certificate that carries its public half, both as PEM, as `node:tls` takes them. */
export interface Identity {
  readonly key: string;
  readonly cert: string;
  /** Of the public key; see `fingerprintOf`. */
  readonly fingerprint: string;
}

/**
 * Makes a new key (ECDSA on P-256) and a certificate that it signs itself (RFC 5280). The peers compare the key alone,
 * so the certificate names nobody, and its time is the one that has no end (section 4.1.2.5).
 */
export function createIdentity(): Identity {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const spki = publicKey.export({ type: "spki", format: "der" });
  const signed = toBeSigned(spki);
  const signature = sign("sha256", signed, privateKey);
  const cert = toPem(sequence(signed, ecdsaWithSha256, bitString(signature)));
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    cert,
    fingerprint: hashOf(spki),
  };
}

/**
 * What stands for the key of a certificate (PEM, DER or parsed): SHA-256 of its SubjectPublicKeyInfo, as pins have it
 * (RFC 7469 section 2.4), in base64url. A renewed certificate of the same key has the same one.
 */
export function fingerprintOf(certificate: string | Buffer | X509Certificate): string {
  const parsed = certificate instanceof X509Certificate ? certificate : new X509Certificate(certificate);
  return keyFingerprint(parsed.publicKey);
}

function keyFingerprint(publicKey: KeyObject): string {
  return hashOf(publicKey.export({ type: "spki", format: "der" }));
}

function hashOf(spki: Buffer): string {
  return createHash("sha256").update(spki).digest("base64url");
}

const ecdsaWithSha256 = sequence(oid("1.2.840.10045.4.3.2"));
const commonName = sequence(set(sequence(oid("2.5.4.3"), utf8String("rdv"))));

function toBeSigned(spki: Buffer): Buffer {
  // A serial number is positive and has at most 20 bytes (section 4.1.2.2).
  const serial = Buffer.concat([Buffer.of(1), randomBytes(15)]);
  const validity = sequence(generalizedTime("20000101000000Z"), generalizedTime("99991231235959Z"));
  const version3 = context(0, integer(Buffer.of(2)));
  return sequence(version3, integer(serial), ecdsaWithSha256, commonName, validity, commonName, spki);
}

function toPem(der: Buffer): string {
  const lines = der.toString("base64").replaceAll(/.{64}/g, "$&\n").trimEnd();
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
