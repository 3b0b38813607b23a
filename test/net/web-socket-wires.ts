import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { dialTcp } from "../../net/dial.ts";
import { openWebSocketStream } from "../../net/web-socket-dial.ts";
import { webSocketPath } from "../../protocol/handshake.ts";
import { createWebSocketDoor } from "../../relay-node/web-socket-door.ts";
import type { Wire, WireMaker } from "./pump/sockets.ts";

/** Makes wires that are WebSockets: the test's end is the one that dialled. */
export async function createWebSocketWires(): Promise<WireMaker> {
  const waiting: ((inner: Socket) => void)[] = [];
  const outers = new Set<Socket>();
  const door = createWebSocketDoor((inner) => waiting.shift()?.(inner));
  const server = createServer().on("upgrade", (request, socket: Socket, head) =>
    door.open(request, socket, head),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // a TCP server that listens has an address object
  const signal = new AbortController().signal;
  let last: Promise<unknown> = Promise.resolve();

  async function make(): Promise<Wire> {
    const { promise, resolve } = Promise.withResolvers<Socket>();
    waiting.push(resolve);
    const socket = await dialTcp({ host: "127.0.0.1", port, signal });
    const where = { where: `127.0.0.1:${port}`, path: webSocketPath, signal, timeoutMs: 10_000 };
    const outer = await openWebSocketStream(socket, where);
    outers.add(outer);
    return { outer, inner: await promise };
  }

  return {
    wire() {
      const next = last.then(make); // one after the other, so that each end finds its own other end
      last = next;
      return next;
    },
    async [Symbol.asyncDispose]() {
      for (const outer of outers) outer.destroy();
      server.close();
      door[Symbol.dispose]();
      await once(server, "close");
    },
  };
}
