import { networkInterfaces } from "node:os";

/** The address to tell others when the listeners are bound to `listenHost`. */
export function publicHostFor(listenHost: string): string {
  if (listenHost !== "0.0.0.0" && listenHost !== "::") return listenHost;
  for (const addresses of Object.values(networkInterfaces()))
    for (const address of addresses ?? [])
      if (!address.internal && address.family === "IPv4") return address.address;
  return "127.0.0.1";
}

/** The address by which this process reaches its own listener. */
export function ownHostFor(listenHost: string): string {
  if (listenHost === "0.0.0.0") return "127.0.0.1";
  return listenHost === "::" ? "::1" : listenHost;
}
