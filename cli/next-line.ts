import { hostPort } from "../protocol/api.ts";
import { shellWord } from "./shell-word.ts";

/** Ports on which developers usually run web servers. */
const webPorts: ReadonlySet<number> = new Set([3000, 5173, 8000, 8080]);

/**
 * The line with which a client uses a session: what to type next.
 * `target` is the exposed service, from which the kind of client follows.
 */
export function nextLine(
  target: { readonly service: string | undefined; readonly port: number },
  address: { readonly host: string; readonly port: number },
  user: string,
): string {
  const { port } = address;
  const host = shellWord(address.host);
  const place = shellWord(hostPort(address.host, port));
  switch (target.service ?? (webPorts.has(target.port) ? "http" : "")) {
    case "ssh":
      return `ssh -p ${port} ${shellWord(`${user}@${address.host}`)}`;
    case "http":
      return `curl ${shellWord(`http://${hostPort(address.host, port)}/`)}`;
    case "https":
      return `curl --insecure ${shellWord(`https://${hostPort(address.host, port)}/`)}`;
    case "mysql":
      return `mysql -h ${host} -P ${port}`;
    case "rdp":
      return `xfreerdp /v:${place}`;
    case "postgres":
      return `psql -h ${host} -p ${port}`;
    case "vnc":
      return `vncviewer ${host}::${port}`;
    case "redis":
      return `redis-cli -h ${host} -p ${port}`;
    default:
      return `nc ${host} ${port}`;
  }
}

/** The line with which a client uses a session without public port; `keyed` is its name, with its agent's key. */
export function privateLine(
  target: { readonly service: string | undefined; readonly port: number },
  keyed: string,
  plain: boolean,
): string {
  const option = plain ? " --plain" : "";
  if (target.service === "ssh") return `rdv ssh${option} ${keyed}`;
  // A port of its own, because the service's usual one may be taken on the client's machine.
  const local = target.port > 1_023 ? target.port : target.port + 8_000;
  return `rdv connect${option} ${keyed} --local ${local}`;
}

/** Splits `host:port` or `[v6]:port`. */
export function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(address.slice(colon + 1)) };
}
