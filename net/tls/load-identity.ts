import { createPrivateKey, X509Certificate } from "node:crypto";
import { RdvError } from "../../protocol/errors.ts";
import { readStateFile } from "../../state/read-file.ts";
import { createStateFile } from "../../state/write-file.ts";
import { createIdentity, fingerprintOf } from "./certificate.ts";
import type { Identity } from "./certificate.ts";

/**
 * The identity that is kept in a file of key and certificate, mode 0600; made on first use. Two processes that come
 * at once get the same one. Throws `failed` when the file is there and is no identity.
 */
export function loadIdentity(path: string): Identity {
  const known = readIdentity(path);
  if (known) return known;
  const made = createIdentity();
  return createStateFile(path, made.key + made.cert) ? made : loadIdentity(path);
}

/** The identity in a file; undefined when there is no such file. */
export function readIdentity(path: string): Identity | undefined {
  const pem = readStateFile(path, { secret: true });
  if (pem === undefined) return undefined;
  const key = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+-----END [A-Z ]*PRIVATE KEY-----\n?/.exec(pem)?.[0];
  const cert = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/.exec(pem)?.[0];
  if (key === undefined || cert === undefined) throw damaged(path);
  if (!belongTogether(path, key, cert)) throw damaged(path);
  return { key, cert, fingerprint: fingerprintOf(cert) };
}

function belongTogether(path: string, key: string, cert: string): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch (cause) {
    throw damaged(path, cause);
  }
}

function damaged(path: string, cause?: unknown): RdvError {
  const advice = "move it away and a new key is made, which those who know the old one must be told";
  return new RdvError("failed", `${path} holds no key with its certificate; ${advice}`, { cause });
}
