import { join } from "node:path";
import type { Command } from "commander";
import * as z from "zod";
import { isLoopbackHost } from "../protocol/plain-address.ts";
import type { Identity } from "../net/tls/certificate.ts";
import { loadIdentity } from "../net/tls/load-identity.ts";
import { readCertificate } from "../net/tls/read-certificate.ts";
import { RdvError } from "../protocol/errors.ts";
import type { Output } from "./output.ts";

/** Adds the options by which a relay's shared port speaks TLS, or does not. */
export function withTlsOptions(command: Command): Command {
  return command
    .option(
      "--tls-cert <file>",
      "certificate of the shared port, PEM with its chain (default: one of its own)",
    )
    .option("--tls-key <file>", "key of that certificate, PEM")
    .option("--no-tls", "no TLS on the shared port (default: TLS unless it listens on loopback)");
}

const Options = z.object({
  host: z.string(),
  tls: z.boolean(),
  tlsCert: z.string().optional(),
  tlsKey: z.string().optional(),
});

/**
 * The key of a relay's shared port: the operator's, or one of its own that is kept in the state directory; undefined
 * when it speaks plain TCP. On loopback there is nobody on the way whom TLS would keep out.
 */
export function relayIdentity(rawOptions: unknown, stateDir: string, output: Output): Identity | undefined {
  const { host, tls, tlsCert, tlsKey } = Options.parse(rawOptions);
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    throw new RdvError("usage", "--tls-cert and --tls-key come together: the certificate and its key");
  if (tlsCert !== undefined && tlsKey !== undefined) {
    if (!tls) throw new RdvError("usage", "--no-tls and --tls-cert exclude each other");
    const { identity, warning } = readCertificate(tlsCert, tlsKey);
    if (warning !== undefined) output.log.warn(warning);
    return identity;
  }
  return tls && !isLoopbackHost(host) ? loadIdentity(join(stateDir, "relay-identity.pem")) : undefined;
}

/** What the operator is told of the shared port. */
export function tlsNote(identity: Identity | undefined): string {
  return identity
    ? `the shared port takes TLS with the key ${identity.fingerprint}, and plain TCP`
    : "the shared port takes plain TCP alone";
}
