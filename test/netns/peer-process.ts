import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

// A service and its client, for tests that look at how connections end.
//   node peer-process.ts serve HOST PORT          answers `late N`, `flood N` and `reset`, each a line
//   node peer-process.ts ask HOST PORT COMMAND    sends the line, and prints what came as JSON
const [role = "", host = "", port = "", command = ""] = process.argv.slice(2);
const pattern = Buffer.alloc(64 * 1024, "rendezvous ");

if (role === "serve") serve();
else await ask();

function serve(): void {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.once("data", (line) => void answer(socket, line.toString().trim()));
  });
  server.listen(Number(port), host, () => process.stdout.write("serving\n"));
}

async function answer(socket: Socket, line: string): Promise<void> {
  const [what, bytes] = line.split(" ");
  if (what === "reset") return void socket.resetAndDestroy();
  // Late: the client has ended long before the first byte of its answer.
  if (what === "late") await Promise.all([once(socket.resume(), "end"), delay(1_000)]);
  const sent = send(socket, Number(bytes));
  if (what === "flood") await untilStuck(socket);
  await sent;
}

async function send(socket: Socket, bytes: number): Promise<void> {
  for (let left = bytes; left > 0; left -= pattern.length)
    if (!socket.write(pattern.subarray(0, Math.min(left, pattern.length)))) await once(socket, "drain");
  socket.end();
}

/** Prints how much was taken when nothing has moved for two seconds. */
async function untilStuck(socket: Socket): Promise<void> {
  const moved = (): number => socket.bytesWritten - socket.writableLength;
  for (let last = -1; last !== moved(); await delay(2_000)) last = moved();
  process.stdout.write(`stuck at ${moved()}\n`);
}

async function ask(): Promise<void> {
  const socket = connect({ host, port: Number(port), allowHalfOpen: true });
  const hash = createHash("sha256");
  let bytes = 0;
  socket.write(`${command}\n`);
  if (command.startsWith("late")) socket.end();
  // A stopped reader: it begins to read when it is told to.
  if (command.startsWith("flood")) {
    socket.pause();
    await once(process.stdin, "data");
  }
  socket.on("data", (chunk) => {
    bytes += chunk.length;
    hash.update(chunk);
  });
  socket.resume();
  const how = await new Promise<string>((resolve) => {
    socket.once("end", () => resolve("end"));
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
  process.stdout.write(`${JSON.stringify({ how, bytes, sha256: hash.digest("hex") })}\n`);
  process.exit();
}
