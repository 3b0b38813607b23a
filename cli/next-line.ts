import { hostPort } from "../protocol/api.ts";

/**
 * The line with which a client uses a session: what to type next.
 * `servicePort` is the port of the exposed service, from which the kind of client is guessed.
 */
export function nextLine(servicePort: number, address: { readonly host: string; readonly port: number }, user: string): string {
  const { host, port } = address;
  switch (servicePort) {
    case 22:
      return `ssh -p ${port} ${user}@${host}`;
    case 80:
    case 3000:
    case 8000:
    case 8080:
      return `curl http://${hostPort(host, port)}/`;
    case 443:
    case 8443:
      return `curl --insecure https://${hostPort(host, port)}/`;
    case 3306:
      return `mysql -h ${host} -P ${port}`;
    case 3389:
      return `xfreerdp /v:${hostPort(host, port)}`;
    case 5432:
      return `psql -h ${host} -p ${port}`;
    case 5900:
      return `vncviewer ${host}::${port}`;
    case 6379:
      return `redis-cli -h ${host} -p ${port}`;
    default:
      return `nc ${host} ${port}`;
  }
}

/** Splits `host:port` or `[v6]:port`. */
export function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(address.slice(colon + 1)) };
}
