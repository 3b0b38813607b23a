import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { dial } from "../fixtures/clients.ts";
import { residentBytes } from "../fixtures/process-tree.ts";
import { expose, startUp } from "../fixtures/rendezvous.ts";
import { startService } from "../fixtures/services.ts";

const MiB = 1024 * 1024;
const size = 1024 * MiB;
const pattern = randomBytes(MiB);

test(
  "a client that does not read 1 GiB costs relay and agent less than 16 MiB, and gets every byte when it reads at last",
  { skip: process.platform !== "linux" && "reads memory figures from /proc" },
  async () => {
    await using service = await startService();
    await using up = await startUp();
    await using session = await expose(up.place, service.port);
    await transfer(session.port, service, 64 * MiB); // Buffers and compiled code that any transfer needs are there from now on.
    const before = [residentBytes(up.rdv.pid), residentBytes(session.rdv.pid)];

    const client = await dial(session.port);
    client.write("send");
    const served = await service.connection();
    const sent = send(served, size);
    await untilStuck(served);
    const after = [residentBytes(up.rdv.pid), residentBytes(session.rdv.pid)];
    assert.ok(served.bytesWritten < size / 2, "the service was held back");
    const growth = after.map((bytes, index) => (bytes - (before[index] ?? 0)) / MiB);
    assert.ok(
      Math.max(...growth) < 16,
      `relay and agent grew by ${growth.map((mib) => mib.toFixed(1)).join(" and ")} MiB`,
    );

    assert.equal(await countGood(client), size);
    await sent;
    client.destroy();
  },
);

async function transfer(
  port: number,
  service: { connection(): Promise<Socket> },
  bytes: number,
): Promise<void> {
  const client = await dial(port);
  client.write("send");
  const sent = send(await service.connection(), bytes);
  assert.equal(await countGood(client), bytes);
  await sent;
  client.destroy();
}

async function send(socket: Socket, bytes: number): Promise<void> {
  for (let left = bytes; left > 0; left -= pattern.length)
    if (!socket.write(pattern)) await once(socket, "drain");
  socket.end();
}

/** Reads to the end; gives the count of bytes, or -1 when one of them is not what was sent at that place. */
async function countGood(socket: Socket): Promise<number> {
  let count = 0;
  let good = true;
  socket.on("data", (chunk: Buffer) => {
    for (let done = 0; done < chunk.length;) {
      const at = (count + done) % pattern.length;
      const length = Math.min(chunk.length - done, pattern.length - at);
      good &&= chunk.compare(pattern, at, at + length, done, done + length) === 0;
      done += length;
    }
    count += chunk.length;
  });
  await once(socket, "end");
  return good ? count : -1;
}

/** Waits until nothing has moved for a second: every buffer on the way is full. */
async function untilStuck(socket: Socket): Promise<void> {
  for (let last = -1; last !== moved(socket); await delay(1_000)) last = moved(socket);
}

/** Bytes that the kernel has taken from this socket. */
function moved(socket: Socket): number {
  return socket.bytesWritten - socket.writableLength;
}
