import { connect, createServer } from "node:net";

// `listen PORT` tells each connection the port from which it comes. `dial LOCAL HOST PORT HOST PORT …` opens a
// connection to each from one local port, says which outside ports were told, one line, and keeps them open.
const [mode = "", port = "", ...places] = process.argv.slice(2);
if (mode === "listen") {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.write(`${socket.remotePort}\n`);
  });
  server.listen({ port: Number(port), host: "::" }, () => process.stdout.write("listening\n"));
} else {
  const seen: string[] = [];
  for (let at = 0; at < places.length; at += 2) {
    const [host = "", to = ""] = places.slice(at);
    seen.push(await toldBy(host, Number(to)));
  }
  process.stdout.write(`seen ${seen.join(" ")}\n`);
}

async function toldBy(host: string, to: number): Promise<string> {
  const socket = connect({ host, port: to, localAddress: "0.0.0.0", localPort: Number(port) });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  socket.once("data", (told) => resolve(told.toString().trim())).once("error", reject);
  return await promise;
}
