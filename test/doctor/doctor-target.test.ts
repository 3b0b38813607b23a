import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import { parseTarget } from "../../agent/target.ts";
import { checkTarget } from "../../cli/doctor/target.ts";
import { claimPorts } from "../fixtures/ports.ts";

async function serve(onClient: (socket: Socket) => void, host = "127.0.0.1") {
  const clients = new Set<Socket>();
  const server = createServer((socket) => {
    clients.add(socket);
    socket.on("error", () => {});
    onClient(socket);
  });
  server.listen(0, host);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port, // a TCP server that listens has an address object
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

async function check(port: number, service?: string) {
  const target = { ...parseTarget(`localhost:${port}`), service };
  return await checkTarget(target, new AbortController().signal);
}

test("a service that greets is shown with its greeting, of which no byte steers a terminal", async () => {
  await using service = await serve((socket) => socket.write("SSH-2.0-\u001b[31mTest\r\nmore"));
  const { status, detail } = await check(service.port, "ssh");
  assert.equal(status, "ok");
  assert.match(
    detail,
    /takes connections at (127\.0\.0\.1|\[::1\]):\d+ \(\d+ ms\) and says "SSH-2\.0-\.\[31mTest"$/,
  );
});

test("a silent service is well, unless its kind speaks first", async () => {
  await using service = await serve(() => {});
  assert.equal((await check(service.port)).status, "ok");
  const ssh = await check(service.port, "ssh");
  assert.equal(ssh.status, "warn");
  assert.match(ssh.advice ?? "", /ssh speaks first: is something else on that port/);
});

test("a service that closes at once is told apart from one that is not there", async () => {
  await using service = await serve((socket) => socket.end());
  const closing = await check(service.port);
  assert.equal(closing.status, "warn");
  assert.match(closing.detail, /closes at once$/);
  await using ports = await claimPorts();
  const absent = await check(ports.port(0));
  assert.equal(absent.status, "fail");
  assert.match(absent.detail, /connection refused/);
  assert.match(absent.advice ?? "", /^start the service/);
});

test(
  "a service that listens at another address of this machine is found there",
  { skip: process.platform !== "linux" },
  async () => {
    await using service = await serve(() => {}, "127.0.0.9");
    const { status, advice } = await check(service.port);
    assert.equal(status, "fail");
    assert.match(advice ?? "", new RegExp(`expose 127\\.0\\.0\\.9:${service.port}$`));
  },
);
