import { createPrivateKey, X509Certificate } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { RdvError } from "../../protocol/errors.ts";
import { createIdentity, fingerprintOf } from "./certificate.ts";
import type { Identity } from "./certificate.ts";

/**
 * The identity that is kept in a file of key and certificate, mode 0600; made on first use. Two processes that come
 * at once get the same one. Throws `failed` when the file is there and is no identity.
 */
export function loadIdentity(path: string): Identity {
  const known = readIdentity(path);
  if (known) return known;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const made = createIdentity();
  const whole = `${path}.${made.fingerprint}`;
  try {
    // Linked when it is whole: nobody reads half a key, and of two processes one wins.
    writeFileSync(whole, made.key + made.cert, { mode: 0o600, flag: "wx" });
    linkSync(whole, path);
    return made;
  } catch (error) {
    const theirs = hasCode(error, "EEXIST") ? readIdentity(path) : undefined;
    if (theirs) return theirs;
    throw new RdvError("failed", `cannot write ${path}: ${(error as Error).message}`, { cause: error }); // fs throws Error
  } finally {
    rmSync(whole, { force: true });
  }
}

/** The identity in a file; undefined when there is no such file. */
export function readIdentity(path: string): Identity | undefined {
  const pem = readText(path);
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

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw new RdvError("failed", `cannot read ${path}: ${(error as Error).message}`, { cause: error }); // fs throws Error
  }
}

function damaged(path: string, cause?: unknown): RdvError {
  const advice = "move it away and a new key is made, which those who know the old one must be told";
  return new RdvError("failed", `${path} holds no key with its certificate; ${advice}`, { cause });
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
