import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import { shareConnections } from "../../embedded/host/connections.ts";
import { limits } from "../../protocol/limits.ts";

/** A server with room for `max` connections; `upgraded` are the server's ends of what was upgraded. */
async function startServer(max: number) {
  const server = createServer((_request, answer) => answer.end("x"));
  const connections = shareConnections(server, max);
  const settled: boolean[] = [];
  server.on("upgrade", (request, connection) => {
    settled.push(connections.settle(connection, String(request.headers["account"])));
    connection.write("HTTP/1.1 101 Switching Protocols\r\n\r\n");
    connection
      .on("error", () => {})
      .on("end", () => connection.end())
      .resume();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // A server that listens on TCP has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  const clients: Socket[] = [];
  return {
    settled,
    open: async (): Promise<Socket> => {
      const client = connect(port, "127.0.0.1");
      clients.push(client);
      client.on("error", () => {});
      await once(client, "connect");
      return client;
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What the server answers to a request on this connection. */
async function ask(client: Socket, headers = ""): Promise<string> {
  client.write(`GET / HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
  return String((await once(client, "data"))[0]);
}

test("a connection takes requests for a minute, is told so with the next answer, and is cut soon after", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await using server = await startServer(100);
  const asks = await server.open();
  const idle = await server.open();
  assert.match(await ask(asks), /keep-alive/);
  await ask(idle);
  t.mock.timers.tick(limits.requestsMs);
  assert.match(await ask(asks), /Connection: close/);
  await once(asks, "close");
  t.mock.timers.tick(limits.lastRequestMs);
  await once(idle, "close");
});

test("what an account made a WebSocket of has no lifetime and gives way to nobody", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await using server = await startServer(10);
  const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nAccount: a_one\r\n";
  const kept: Socket[] = [];
  for (let i = 0; i < 8; i += 1) {
    const client = await server.open();
    assert.match(await ask(client, upgrade), /^HTTP\/1.1 101/);
    kept.push(client);
  }
  assert.deepEqual(
    server.settled,
    Array.from({ length: 8 }, () => true),
  );
  const ninth = await server.open();
  await ask(ninth, upgrade);
  assert.equal(server.settled.at(-1), false, "four fifths are the account's share");
  const other = await server.open();
  await ask(other, upgrade.replace("a_one", "a_two"));
  assert.equal(server.settled.at(-1), true);
  // All ten are in use: the refused one of the same source gives way.
  const newcomer = await server.open();
  await once(ninth, "close");
  assert.match(await ask(newcomer), /^HTTP\/1.1 200/);
  t.mock.timers.tick(limits.requestsMs);
  t.mock.timers.tick(limits.lastRequestMs);
  await once(newcomer, "close");
  for (const client of kept) assert.equal(client.readableEnded || client.destroyed, false);
});
