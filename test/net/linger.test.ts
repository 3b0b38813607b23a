import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { dialTcp } from "../../net/dial.ts";
import { createLinger } from "../../net/linger.ts";
import { listenTcp } from "../../net/listen.ts";

test("a peer in the middle of a flood still gets the last bytes and a clean end", async () => {
  using linger = createLinger();
  await using pair = await connected();
  pair.client.write(Buffer.alloc(4 << 20));
  await once(pair.server, "readable");
  linger.close(pair.server, "no, thank you");
  assert.equal(await text(pair.client), "no, thank you");
  pair.client.end();
  await once(pair.server, "close");
  assert.equal(linger.count, 0);
});

test("a peer that never ends is cut when the time is up", async () => {
  using linger = createLinger({ lingerMs: 30 });
  await using pair = await connected();
  linger.close(pair.server, "bye");
  assert.equal(await text(pair.client), "bye");
  await once(pair.server, "close");
  assert.equal(linger.count, 0);
});

test("more lingering connections than the bound are reset", async () => {
  using linger = createLinger({ max: 1 });
  await using first = await connected();
  await using second = await connected();
  linger.close(first.server);
  linger.close(second.server);
  await assert.rejects(text(second.client), { code: "ECONNRESET" });
  assert.equal(linger.count, 1);
});

async function connected() {
  const accepted = Promise.withResolvers<Socket>();
  const listener = await listenTcp({ host: "127.0.0.1", port: 0, onConnection: accepted.resolve });
  const client = await dialTcp({
    host: listener.host,
    port: listener.port,
    signal: new AbortController().signal,
  });
  const server = await accepted.promise;
  return {
    client,
    server,
    async [Symbol.asyncDispose]() {
      client.destroy();
      server.destroy();
      await listener[Symbol.asyncDispose]();
    },
  };
}
