import { connect } from "node:tls";
import type { PeerCertificate, TLSSocket } from "node:tls";
import { isIP } from "node:net";
import { dialOut } from "../../net/dial-out.ts";
import type { Proxies } from "../../net/proxy/proxies.ts";
import { targetOf } from "../../net/proxy/url-target.ts";
import { bounded } from "./bounded.ts";
import { fail, ok, skip, warn } from "./finding.ts";
import type { Finding } from "./finding.ts";

const day = 86_400_000;
/** Certificates that renew themselves do so a month before. */
const soonDays = 14;

/** Whether the control plane's certificate is good, and for how long. */
export async function checkCertificate(url: URL, proxies: Proxies, signal: AbortSignal): Promise<Finding> {
  try {
    return await bounded(signal, async (ends) => await look(url, proxies, ends));
  } catch (error) {
    signal.throwIfAborted();
    return skip(
      "certificate",
      `${url.host} did not show one: ${error instanceof Error ? error.message : ""}`,
    );
  }
}

async function look(url: URL, proxies: Proxies, signal: AbortSignal): Promise<Finding> {
  const { host, ...target } = targetOf(url);
  const carrier = await dialOut({ ...target, host, proxies, signal });
  const { promise, resolve, reject } = Promise.withResolvers<Finding>();
  const socket = connect({
    socket: carrier,
    ...(isIP(host) === 0 ? { servername: host } : { host }),
    // Only to be able to say what is wrong with it: nothing is sent on this connection.
    rejectUnauthorized: false,
  });
  signal.addEventListener("abort", () => socket.destroy(), { once: true });
  socket.once("secureConnect", () => resolve(judge(url, socket, Date.now())));
  socket.once("close", () => reject(new Error("it closed the connection")));
  socket.on("error", reject);
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}

function judge(url: URL, socket: TLSSocket, now: number): Finding {
  const certificate = socket.getPeerCertificate();
  const detail = `${url.host}: ${describe(certificate)}`;
  if (!socket.authorized) {
    const code = String(socket.authorizationError);
    return fail("certificate", `${detail}: ${code}`, adviceFor(code));
  }
  const days = Math.floor((Date.parse(certificate.valid_to) - now) / day);
  if (days < soonDays)
    return warn(
      "certificate",
      `${detail}, ${days} days left`,
      "its renewal seems to be stuck: tell its operator",
    );
  return ok("certificate", `${detail}, ${days} days left, ${socket.getProtocol() ?? ""}`);
}

function describe({ subject, issuer, valid_to: until }: PeerCertificate): string {
  return `for ${nameOf(subject)}, by ${nameOf(issuer)}, until ${until}`;
}

function nameOf(names: PeerCertificate["subject"] | undefined): string {
  const name = names?.CN ?? names?.O ?? "nobody";
  return Array.isArray(name) ? name.join(", ") : name;
}

function adviceFor(code: string): string {
  if (/EXPIRED/.test(code))
    return "it must be renewed at the control plane; if it is new, this machine's clock is wrong";
  if (/NOT_YET_VALID/.test(code)) return "this machine's clock is behind: set it";
  if (/ALTNAME/.test(code)) return "use the name that the certificate is for in --control";
  return "this machine does not know who signed it: name that authority's certificate in NODE_EXTRA_CA_CERTS=FILE; on another network it may be fine, when a proxy opens TLS here";
}
