import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import type { Address, Peer, Probe, Running } from "../model.ts";
import type { PortPicker } from "./ports.ts";
import { findProgram, probeProgram, startProgram } from "./program.ts";
import { started } from "./started.ts";
import { createTempFolder } from "./temp-folder.ts";

/** nginx with its stream module as a TCP forwarder. */
export function nginxPeer(ports: PortPicker): Peer {
  return {
    name: "nginx stream",
    kinds: ["hop"],
    probe,
    start: async (_kind, service) => await start(ports.next(), service),
  };
}

async function probe(): Promise<Probe> {
  const found = await probeProgram("nginx", ["-v"], /nginx\/([\d.]+)/);
  if (!found.installed || (await streamModule()) !== undefined) return found;
  return { installed: false, reason: "nginx has no stream module" };
}

/** The line that loads the stream module: empty when it is built in, undefined when there is none. */
async function streamModule(): Promise<string | undefined> {
  const built = await new Promise<string>((resolve) => {
    execFile(findProgram("nginx") ?? "nginx", ["-V"], (_error, stdout, stderr) => resolve(stdout + stderr));
  });
  if (/--with-stream( |$)/.test(built)) return "";
  const folder = /--modules-path=(\S+)/.exec(built)?.[1] ?? "/usr/lib/nginx/modules";
  const path = `${folder}/ngx_stream_module.so`;
  return existsSync(path) ? `load_module ${path};` : undefined;
}

async function start(port: number, service: Address): Promise<Running> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await createTempFolder());
  const file = await folder.write(
    "nginx.conf",
    configuration((await streamModule()) ?? "", folder.path, port, service),
  );
  const relay = stack.use(
    startProgram(findProgram("nginx") ?? "nginx", ["-e", "stderr", "-p", folder.path, "-c", file]),
  );
  await relay.listens(port);
  return started({ relay: [relay], address: { host: "127.0.0.1", port }, stack });
}

function configuration(loadModule: string, folder: string, port: number, service: Address): string {
  return `${loadModule}
daemon off;
worker_processes auto;
worker_rlimit_nofile 20000;
pid ${folder}/nginx.pid;
error_log stderr crit;
events { worker_connections 19000; }
stream {
  server {
    listen 127.0.0.1:${port} backlog=4096;
    proxy_pass ${service.host}:${service.port};
    proxy_timeout 1h;
  }
}
`;
}
