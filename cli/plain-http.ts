import { RdvError } from "../protocol/errors.ts";
import { isLoopbackHost } from "../protocol/plain-address.ts";

/** Whether what is sent to a URL travels beyond this machine in the clear. */
export function isPlainBeyondLoopback(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === "http:" && !isLoopbackHost(hostname);
}

/** Says, in one line and whatever output was asked for, what plain HTTP to a control plane means. */
export function warnOfPlainHttp(control: string, stderr: (text: string) => void): void {
  if (!isPlainBeyondLoopback(control)) return;
  stderr(
    `rdv: WARNING: ${new URL(control).origin} is plain http: whoever is on the way reads your token and can change every answer; put a TLS proxy before it and use https://\n`,
  );
}

/** Throws `usage` for an invitation whose line would run what anybody on the way makes of it. */
export function refusePlainLine(url: string): void {
  if (!isPlainBeyondLoopback(url)) return;
  throw new RdvError(
    "usage",
    `the line to paste would be for ${new URL(url).origin}: plain http, so whoever is on the way could run anything there; put a TLS proxy before the control plane and start it with --public-url https://…, or give --insecure`,
  );
}
