import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import type { Proxy } from "../../../net/proxy/proxies.ts";

/** A proxy that does what the test says with each `CONNECT`, in bytes. */
export interface StandInProxy extends AsyncDisposable {
  readonly proxy: Proxy;
  /** Request heads so far. */
  readonly heads: readonly string[];
}

/** Starts it on loopback; `answer` gets the client's socket when a whole head was read. */
export async function startStandInProxy(
  answer: (socket: Socket, target: { host: string; port: number }) => void,
  authorization?: string,
): Promise<StandInProxy> {
  const heads: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let head = "";
    sockets.add(socket);
    socket.on("error", () => {});
    const onData = (chunk: Buffer): void => {
      head += chunk.toString("latin1");
      if (!head.includes("\r\n\r\n")) return;
      socket.off("data", onData);
      socket.pause();
      heads.push(head);
      const [, host = "", port = "0"] = /^CONNECT (.+):(\d+) HTTP/.exec(head) ?? [];
      answer(socket, { host, port: Number(port) });
    };
    socket.on("data", onData);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // a TCP server that listens has an address object
  return {
    proxy: { host: "127.0.0.1", port, authorization, variable: "HTTPS_PROXY" },
    heads,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Opens the connection that was asked for, and joins the two; `early` goes to the client in the same piece as the answer. */
export function tunnel(socket: Socket, { host, port }: { host: string; port: number }, early = ""): void {
  const far = connect({ host, port, allowHalfOpen: true });
  far.on("error", () => socket.resetAndDestroy());
  far.once("connect", () => {
    socket.write(`HTTP/1.0 200 Connection established\r\nProxy-agent: stand-in\r\n\r\n${early}`);
    socket.pipe(far);
    far.pipe(socket);
  });
}
