import assert from "node:assert/strict";
import { test } from "node:test";
import { addressPath, formatHalfRequest } from "../../protocol/handshake.ts";
import { dial, startBench, until } from "./harness.ts";

test("the shared port tells whoever asks how it sees them, without a ticket", async () => {
  await using bench = await startBench();
  const socket = await dial(bench.relay.sharedPort);
  const heard: Buffer[] = [];
  socket.on("data", (bytes: Buffer) => heard.push(bytes));
  socket.write(`GET ${addressPath} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  await new Promise((resolve) => socket.once("end", resolve));
  const [head = "", body = ""] = Buffer.concat(heard).toString().split("\r\n\r\n");
  assert.match(head, /^HTTP\/1\.1 200 /);
  assert.deepEqual(JSON.parse(body), { address: "127.0.0.1", port: socket.localPort });
});

test("clients with a ticket are counted by why they did not come directly, in words of the list alone", async () => {
  await using bench = await startBench();
  const ticket = await bench.ticket({ kind: "client" });
  const heads = ["Rdv-Direct: symmetric\r\n", "Rdv-Direct: symmetric\r\n", 'Rdv-Direct: "} 1\r\n', ""];
  for (const head of heads) {
    const socket = await dial(bench.relay.sharedPort);
    const request = formatHalfRequest("client", "relay", ticket).replace(/\r\n\r\n$/, `\r\n${head}\r\n`);
    socket.write(request);
  }
  const counted = (): ReadonlyMap<string, number> => bench.relay.metrics().ticketedClients;
  await until(() => [...counted().values()].reduce((sum, n) => sum + n, 0) === heads.length, "all counted");
  assert.deepEqual(Object.fromEntries(counted()), { symmetric: 2, unsaid: 2 });
});
