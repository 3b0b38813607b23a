import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { dialTcp } from "../../net/dial.ts";
import { openWebSocketStream } from "../../net/web-socket-dial.ts";
import { webSocketPath } from "../../protocol/handshake.ts";
import { createWebSocketDoor } from "../../relay-node/web-socket-door.ts";
import { createWires } from "./pump/sockets.ts";
import type { WireMaker } from "./pump/sockets.ts";

/** Makes wires that are WebSockets: the test's end is the one that dialled. */
export async function createWebSocketWires(): Promise<WireMaker> {
  const door = createWebSocketDoor((inner) => wires.accepted(inner));
  const server = createServer().on("upgrade", (request, socket: Socket, head) =>
    door.open(request, socket, head),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // a TCP server that listens has an address object
  const signal = new AbortController().signal;
  const wires = createWires(async () => {
    const socket = await dialTcp({ host: "127.0.0.1", port, signal });
    const where = { where: `127.0.0.1:${port}`, path: webSocketPath, signal, timeoutMs: 10_000 };
    return await openWebSocketStream(socket, where);
  });
  return {
    wire: () => wires.wire(),
    async [Symbol.asyncDispose]() {
      server.close();
      const cut = wires.cut();
      door[Symbol.dispose]();
      await Promise.all([cut, once(server, "close")]);
    },
  };
}
