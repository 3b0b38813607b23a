import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { test } from "node:test";
import { createIdentity } from "../../net/tls/certificate.ts";
import type { RelayCandidate } from "../../protocol/api.ts";
import { untilListening } from "../fixtures/listeners.ts";
import { startProcess } from "../fixtures/processes.ts";
import { startUp } from "../fixtures/rendezvous.ts";
import type { Up } from "../fixtures/rendezvous.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";
import { alterControl } from "./altered-control.ts";
import { runDoctor } from "./run-doctor.ts";
import type { Diagnosis } from "./run-doctor.ts";

/** Runs the doctor against a control plane that names its relay differently. */
async function diagnose(up: Up, change: Partial<RelayCandidate>): Promise<Diagnosis> {
  await using altered = await alterControl(up.control, {
    relays: (relays) => relays.map((relay) => ({ ...relay, ...change })),
  });
  const env = { RDV_TOKEN: up.token };
  return await runDoctor(["--control", altered.url], { stateDir: up.place.stateDir, env });
}

async function listen(server: Server): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => void sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port, // a TCP server that listens has an address object
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

test("a relay at whose port nothing listens fails at the connection, and no further", async () => {
  await using up = await startUp();
  const { code, find, checks } = await diagnose(up, { sharedPort: up.place.spare[0] ?? 0 });
  assert.equal(code, 1);
  assert.match(find("relay-connect").detail, /^127\.0\.0\.1:\d+ \(local\): .*connection refused/);
  assert.match(find("relay-connect").advice ?? "", /is the relay running, and is port \d+ open/);
  assert.ok(!checks.some(({ name }) => name === "relay-http"));
});

test("a relay whose name nobody knows fails at the name", async () => {
  await using up = await startUp();
  const { code, checks } = await diagnose(up, { host: "relay.invalid" });
  assert.equal(code, 1);
  const failed = checks.filter(({ status }) => status === "fail");
  assert.deepEqual(
    failed.map(({ name, detail }) => `${name} ${detail.split(":")[0]}`),
    ["names relay.invalid"],
  );
});

test("a relay with another key than the control plane names is trusted with nothing", async () => {
  await using up = await startUp();
  const { key, cert } = createIdentity();
  const greeted: string[] = [];
  await using impostor = await listen(
    createTlsServer({ key, cert }, (socket) => {
      socket.on("data", (chunk) => greeted.push(String(chunk)));
      socket.on("error", () => {});
    }),
  );
  const { code, find } = await diagnose(up, { sharedPort: impostor.port, tls: createIdentity().fingerprint });
  assert.equal(code, 1);
  assert.match(find("relay-tls").detail, /not the key that the control plane names/);
  assert.match(
    find("relay-tls").advice ?? "",
    /another program answers there, or a proxy on the way opens TLS/,
  );
  assert.deepEqual(greeted, []);
});

test("a port that speaks no TLS fails as such when the control plane names a key", async () => {
  await using up = await startUp();
  await using other = await listen(createServer((socket) => socket.on("error", () => {}).end("hello\n")));
  const { find } = await diagnose(up, { sharedPort: other.port, tls: createIdentity().fingerprint });
  assert.equal(find("relay-tls").status, "fail");
  assert.match(find("relay-tls").advice ?? "", /TLS does not come through to this port/);
});

test("another program at the relay's address is told apart from a relay", async () => {
  await using up = await startUp();
  await using other = await listen(createHttpServer((_, response) => response.end("welcome")));
  const { code, find } = await diagnose(up, { sharedPort: other.port });
  assert.equal(code, 1);
  assert.match(find("relay-upgrade").detail, /HTTP 200 that is not a relay's/);
});

test("a port that takes connections and says nothing is given up after 5 s", async () => {
  await using up = await startUp();
  await using silent = await listen(createServer((socket) => void socket.on("error", () => {}).resume()));
  const { code, find } = await diagnose(up, { sharedPort: silent.port });
  assert.equal(code, 1);
  assert.match(find("relay-http").detail, /no answer within 5 s/);
  assert.match(find("relay-http").advice ?? "", /taken but not answered/);
});

for (const { through, status, code, webSocket } of [
  { through: "nothing", status: "fail", code: 1, webSocket: "" },
  { through: "WebSockets alone", status: "warn", code: 0, webSocket: passWebSockets() },
] as const)
  test(
    `a web proxy that passes on ${through} is found out: ${status}`,
    { skip: skipWithout("nginx") },
    async () => {
      await using up = await startUp();
      await using dir = await createTempDir();
      const port = up.place.spare[0] ?? 0;
      const config = join(dir.path, "nginx.conf");
      await writeFile(config, nginxConfig(dir.path, port, up.relay, webSocket));
      await using nginx = startProcess(requireTool("nginx"), ["-c", config, "-p", dir.path, "-e", "stderr"]);
      await Promise.race([untilListening(port), nginx.exited]);
      const found = await diagnose(up, { sharedPort: port });
      assert.equal(found.find("relay-http").status, "ok");
      const upgrade = found.find("relay-upgrade");
      assert.equal(upgrade.status, status);
      assert.match(upgrade.detail, /HTTP 426: the request came through without its Upgrade/);
      assert.match(upgrade.advice ?? "", /proxy or firewall on the way does not pass upgrades on/);
      assert.equal(found.find("relay-websocket").status, code === 0 ? "ok" : "fail");
      assert.equal(found.code, code);
    },
  );

function passWebSockets(): string {
  return `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";`;
}

function nginxConfig(folder: string, port: number, relay: string, webSocket: string): string {
  return `daemon off; master_process off; pid ${folder}/pid; error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f;
  uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://${relay}; }
    location = /v1/ws { proxy_pass http://${relay}; ${webSocket} }
  }
}
`;
}
