import { RdvError } from "../../protocol/errors.ts";
import { createBypass } from "./bypass.ts";

/** An HTTP proxy that opens tunnels on `CONNECT` (RFC 9110 section 9.3.6). */
export interface Proxy {
  readonly host: string;
  readonly port: number;
  /** Value of `Proxy-Authorization`; never shown. */
  readonly authorization: string | undefined;
  /** Which variable named it. */
  readonly variable: string;
}

/** What is about to be dialled; `half` is a connection to a relay's shared port. */
export interface ProxyTarget {
  readonly use: "http" | "https" | "half";
  readonly host: string;
  readonly port: number;
}

/** Which way out of this network a connection takes. */
export interface Proxies {
  /** The proxy to go through, or undefined to go directly. Throws `usage` when a variable names no HTTP proxy. */
  for(target: ProxyTarget): Proxy | undefined;
}

/** Everything goes directly. */
export const noProxies: Proxies = { for: () => undefined };

type Environment = Readonly<Record<string, string | undefined>>;

/** The first variable that is set holds. Halves are opaque to a proxy as https is, so they go its way. */
const variables: Readonly<Record<ProxyTarget["use"], readonly string[]>> = {
  http: ["HTTP_PROXY", "ALL_PROXY"],
  https: ["HTTPS_PROXY", "ALL_PROXY"],
  half: ["HTTPS_PROXY", "ALL_PROXY"],
};

/**
 * The proxies that the environment names: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, each also in lower
 * case, which goes first. Loopback is never proxied. Nothing is parsed before it is needed.
 */
export function readProxies(env: Environment): Proxies {
  const bypass = createBypass(read(env, "NO_PROXY")?.value ?? "");
  return {
    for({ use, host, port }) {
      if (bypass(host, port)) return undefined;
      for (const name of variables[use]) {
        const found = read(env, name);
        if (found) return parseProxy(found.value, found.name);
      }
      return undefined;
    },
  };
}

/** An empty variable counts as none, as in other programs. */
function read(env: Environment, name: string): { name: string; value: string } | undefined {
  for (const spelling of [name.toLowerCase(), name]) {
    const value = env[spelling]?.trim();
    if (value) return { name: spelling, value };
  }
  return undefined;
}

/** The text itself is in no message: it may hold a password. */
function parseProxy(text: string, variable: string): Proxy {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (!url?.hostname)
    throw new RdvError("usage", `${variable} is not the address of a proxy; write http://HOST:PORT`);
  if (url.protocol !== "http:")
    throw new RdvError(
      "usage",
      `${variable} names a proxy of the kind ${url.protocol}//; rdv goes through http:// proxies alone, or none for what NO_PROXY lists`,
    );
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(url.port || 80),
    authorization: authorizationOf(url),
    variable,
  };
}

/** Basic authentication (RFC 7617). */
function authorizationOf({ username, password }: URL): string | undefined {
  if (username === "" && password === "") return undefined;
  return `Basic ${Buffer.from(`${decode(username)}:${decode(password)}`, "utf8").toString("base64")}`;
}

/** A stray percent sign stands for itself. */
function decode(text: string): string {
  return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (escaped) => {
    try {
      return decodeURIComponent(escaped);
    } catch {
      return escaped;
    }
  });
}
