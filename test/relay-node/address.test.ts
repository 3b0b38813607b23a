import assert from "node:assert/strict";
import { test } from "node:test";
import { addressPath } from "../../protocol/handshake.ts";
import { dial, startBench } from "./harness.ts";

test("the shared port tells whoever asks how it sees them, without a ticket", async () => {
  await using bench = await startBench();
  const socket = await dial(bench.relay.sharedPort);
  const heard: Buffer[] = [];
  socket.on("data", (bytes: Buffer) => heard.push(bytes));
  socket.write(`GET ${addressPath} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n`);
  await new Promise((resolve) => socket.once("end", resolve));
  const [head = "", body = ""] = Buffer.concat(heard).toString().split("\r\n\r\n");
  assert.match(head, /^HTTP\/1\.1 200 /);
  assert.deepEqual(JSON.parse(body), { address: "127.0.0.1", port: socket.localPort });
});
