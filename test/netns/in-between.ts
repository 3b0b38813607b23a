import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Machine } from "../fixtures/network.ts";
import { startProcess } from "../fixtures/processes.ts";
import type { Running } from "../fixtures/processes.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { requireTool } from "../fixtures/tools.ts";

/** A real HTTP proxy on a machine. */
export interface ForwardProxy extends AsyncDisposable {
  readonly address: string;
  readonly port: number;
  /** `HOST:PORT` of each tunnel that it opened so far. */
  tunnels(): readonly string[];
}

interface ForwardProxyOptions {
  /** `user password` that it asks for. */
  readonly login?: string;
  /** It opens tunnels to this port alone. */
  readonly onlyPort?: number;
}

/** Runs tinyproxy, which opens tunnels on CONNECT. */
export async function startForwardProxy(
  machine: Machine,
  { login, onlyPort }: ForwardProxyOptions,
): Promise<ForwardProxy> {
  await using held = new AsyncDisposableStack();
  const folder = held.use(await createTempDir()).path;
  const port = 3_128;
  const config = join(folder, "tinyproxy.conf");
  const lines = [`Port ${port}`, `Listen ${machine.address}`, "Timeout 600", "LogLevel Info"];
  if (login !== undefined) lines.push(`BasicAuth ${login}`);
  if (onlyPort !== undefined) lines.push(`ConnectPort ${onlyPort}`);
  await writeFile(config, `${lines.join("\n")}\n`);
  const running = held.use(startProcess(requireTool("tinyproxy"), ["-d", "-c", config], machine));
  await running.says("Accepting connections");
  const stack = held.move();
  return {
    address: machine.address,
    port,
    tunnels: () =>
      [...running.output().stdout.matchAll(/CONNECT (\S+) HTTP/g)].map(([, where = ""]) => where),
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}

interface ReverseProxyOptions {
  /** `host:port` of what is behind it. */
  readonly upstream: string;
  readonly port: number;
  /** PEM file of key and certificate with which it ends the TLS of those who come. */
  readonly pem?: string | undefined;
}

/** Runs nginx as it is commonly set up for web applications: WebSockets pass, and no other upgrade. */
export async function startReverseProxy(
  machine: Machine,
  { upstream, port, pem }: ReverseProxyOptions,
): Promise<Running> {
  await using held = new AsyncDisposableStack();
  const folder = held.use(await createTempDir()).path;
  const config = join(folder, "nginx.conf");
  const tls =
    pem === undefined ? "" : `ssl_certificate ${pem}; ssl_certificate_key ${pem}; ssl_protocols TLSv1.3;`;
  await writeFile(
    config,
    `daemon off; master_process off; pid ${folder}/pid; error_log stderr notice;
events {}
http {
  access_log ${folder}/access.log;
  client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  map $http_upgrade $connection_upgrade { default ""; websocket upgrade; }
  server {
    listen ${machine.address}:${port}${pem === undefined ? "" : " ssl"}; ${tls}
    location / {
      proxy_pass http://${upstream};
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
    }
  }
}
`,
  );
  const running = startProcess(requireTool("nginx"), ["-e", "stderr", "-c", config], machine);
  held.use(running);
  // The last thing that it says before it serves; it listens by then.
  await running.says("getrlimit");
  const stack = held.move();
  return { ...running, [Symbol.asyncDispose]: async () => await stack.disposeAsync() };
}
