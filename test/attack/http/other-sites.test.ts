import assert from "node:assert/strict";
import { createControlHost } from "../../../embedded/host/control-host.ts";
import { silentLog } from "../../../net/log.ts";
import { createSecrets } from "../../control/control-under-test.ts";
import { startBench } from "../../relay-node/harness.ts";
import { attack } from "../../fixtures/attack.ts";
import { dial, readToEnd } from "../../fixtures/clients.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";

const from = import.meta.url;

const paths = [
  "/healthz",
  "/v1/jwks",
  "/v1/address",
  "/openapi.json",
  "/metrics",
  "/j/AAAAA-AAAAA",
  "/no/such/path",
];
const others = [
  "evil.example", "evil.example:8787", "EVIL.EXAMPLE", "localhost.evil.example", "127.0.0.1.evil.example", "127.example.org",
  "127.0.0.1@evil.example", "evil.example#127.0.0.1", "evil.example/127.0.0.1", "127.0.0.1,evil.example", "[::1].evil.example",
  "192.0.2.1", "[2001:db8::1]", "rdv.example.org.evil.example", "xrdv.example.org", "",
]; // prettier-ignore

attack({ point: 11, title: "asks from a page whose name was made to lead to loopback", from }, async () => {
  await using site = await startControl();
  for (const path of paths)
    for (const host of others) {
      const status = await statusOf(site.port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      assert.ok(status === 421 || status === 400, `${host} ${path}: ${status}`);
      const upgraded = await statusOf(site.port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${webSocket}\r\n`);
      assert.ok(upgraded === 421 || upgraded === 400, `${host} ${path}: ${upgraded} to a WebSocket`);
    }
  for (const host of [
    `127.0.0.1:${site.port}`,
    "localhost",
    "[::1]:1",
    "rdv.example.org",
    "RDV.example.org.:443",
  ])
    assert.equal(await statusOf(site.port, `GET /healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n`), 200, host);
  return { tries: 2 * paths.length * others.length, answer: "421: only its own names are answered" };
});

attack(
  { point: 11, title: "lets a browser post, delete or open a WebSocket from a page of another site", from },
  async () => {
    await using site = await startControl();
    const own = `localhost:${site.port}`;
    const origins = [
      "http://evil.example",
      "https://evil.example",
      "null",
      "http://localhost:1",
      `http://${own}.evil.example`,
      `http://evil@${own}:1`,
      `ftp://${own}`,
      "file://",
    ];
    const requests = [
      "POST /v1/invitations",
      "POST /j/AAAAA-AAAAA/claim",
      "DELETE /v1/sessions/x",
      "PATCH /v1/sessions/x",
    ];
    for (const origin of origins) {
      for (const request of requests)
        assert.equal(
          await statusOf(
            site.port,
            `${request} HTTP/1.1\r\nHost: ${own}\r\nOrigin: ${origin}\r\nContent-Length: 0\r\n\r\n`,
          ),
          403,
          `${origin} ${request}`,
        );
      const open = `GET /v1/sessions/x/agent HTTP/1.1\r\nHost: ${own}\r\nOrigin: ${origin}\r\n${webSocket}\r\n`;
      assert.equal(await statusOf(site.port, open), 403, `${origin} to a WebSocket`);
    }
    const same = `POST /v1/invitations HTTP/1.1\r\nHost: ${own}\r\nOrigin: http://${own}\r\nContent-Length: 0\r\n\r\n`;
    assert.equal(await statusOf(site.port, same), 401, "its own page is heard");
    return {
      tries: origins.length * (requests.length + 1),
      answer: "403: other sites' pages change nothing",
    };
  },
);

const webSocket =
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n";

async function startControl(): Promise<AsyncDisposable & { readonly port: number }> {
  await using held = new AsyncDisposableStack();
  const folder = held.use(await createTempDir());
  const names = ["rdv.example.org"];
  const options = {
    host: "127.0.0.1",
    port: 0,
    stateDir: folder.path,
    env: await createSecrets(),
    log: silentLog,
    names,
  };
  const { port } = held.use(await createControlHost(options));
  const stack = held.move();
  return { port, [Symbol.asyncDispose]: async () => await stack.disposeAsync() };
}

async function statusOf(port: number, head: string): Promise<number> {
  const socket = await dial(port);
  socket.write(
    head.replace("\r\n\r\n", head.includes("Upgrade") ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n"),
  );
  const { bytes } = await readToEnd(socket);
  socket.destroy();
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(String(bytes))?.[1]);
}

attack({ point: 11, title: "asks a relay from a page of another site", from }, async () => {
  await using bench = await startBench();
  const { sharedPort } = bench.relay;
  const looks = ["/healthz", "/readyz", "/metrics", "/v1/address"];
  for (const path of looks)
    for (const host of others) {
      const status = await statusOf(sharedPort, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      assert.ok(status === 421 || status === 400, `${host} ${path}: ${status}`);
    }
  for (const origin of ["http://evil.example", "null", `http://localhost:${sharedPort}`]) {
    const open = `GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nOrigin: ${origin}\r\n${webSocket}\r\n`;
    assert.equal(await statusOf(sharedPort, open), 403, origin);
  }
  return {
    tries: looks.length * others.length + 3,
    answer: "421, and 403 to a WebSocket: a relay has no pages",
  };
});
