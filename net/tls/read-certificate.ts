import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { RdvError } from "../../protocol/errors.ts";
import { fingerprintOf } from "./certificate.ts";
import type { Identity } from "./certificate.ts";

/** A certificate that the operator brought, with the chain behind it, and what there is to say about it. */
export interface ReadCertificate {
  readonly identity: Identity;
  /** It is out of its time. Those who pin its key do not mind. */
  readonly warning: string | undefined;
}

/**
 * Reads a certificate and its key from two PEM files. Throws `usage`, with what to do, for a file that cannot be read,
 * that holds no such thing, or a key that is another certificate's.
 */
export function readCertificate(certPath: string, keyPath: string, now = Date.now()): ReadCertificate {
  const [cert, key] = [readPem(certPath), readPem(keyPath)];
  const first = parse(certPath, "a certificate in PEM", () => new X509Certificate(cert));
  const privateKey = parse(keyPath, "a private key in PEM without passphrase", () => createPrivateKey(key));
  if (!first.checkPrivateKey(privateKey))
    throw new RdvError(
      "usage",
      `The key in ${keyPath} is not that of the first certificate in ${certPath}; the server's own comes first`,
    );
  return {
    identity: { key, cert, fingerprint: fingerprintOf(cert) },
    warning: warningOf(first, certPath, now),
  };
}

function readPem(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT"; // fs throws errors of the system
    const why = missing ? "there is no such file" : (cause as Error).message;
    throw new RdvError("usage", `Cannot read ${path}: ${why}`, { cause });
  }
}

function parse<T>(path: string, what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new RdvError("usage", `${path} does not hold ${what}`, { cause });
  }
}

function warningOf(
  { validFromDate, validToDate }: X509Certificate,
  path: string,
  now: number,
): string | undefined {
  if (validToDate.getTime() < now) return `the certificate in ${path} has expired on ${day(validToDate)}`;
  if (validFromDate.getTime() > now)
    return `the certificate in ${path} is valid from ${day(validFromDate)} on`;
  return undefined;
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}
