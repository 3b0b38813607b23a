import { readCredentials } from "../../cli/credentials.ts";
import type { Credentials } from "../../cli/credentials.ts";

/** What an `rdv up` that is ready has written into its state directory. */
export function ownerCredentials(stateDir: string): Credentials {
  const credentials = readCredentials(stateDir);
  if (credentials === undefined) throw new Error(`rdv up wrote no credentials into ${stateDir}`);
  return credentials;
}
