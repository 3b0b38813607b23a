import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import type { WebSocket } from "ws";
import { createHostSocket } from "../../embedded/host/host-socket.ts";
import { pingText } from "../../protocol/signals.ts";

/** What a host socket uses of a WebSocket, of a peer that reads only when `read` is called. */
class DeafConnection extends EventEmitter {
  isPaused = false;
  bufferedAmount = 0;
  readonly #sent: (() => void)[] = [];
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
  send(text: string, sent: () => void): void {
    this.bufferedAmount += text.length;
    this.#sent.push(sent);
  }
  read(): void {
    this.bufferedAmount = 0;
    for (const sent of this.#sent.splice(0)) sent();
  }
}

test("a peer that asks and does not read the answers is not read either, until it has read them", () => {
  const connection = new DeafConnection();
  const socket = createHostSocket({ onMessage: async () => {}, onClosed: () => {} });
  socket.attach(connection as unknown as WebSocket); // it has all that the socket uses
  let pings = 0;
  for (; pings < 100_000 && !connection.isPaused; pings += 1)
    connection.emit("message", Buffer.from(pingText), false);
  assert.ok(connection.isPaused && connection.bufferedAmount < 100_000, `${connection.bufferedAmount} bytes`);
  connection.read();
  assert.ok(!connection.isPaused);
});
