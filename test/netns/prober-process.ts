import { connect } from "node:net";
import { createInterface } from "node:readline";

// Clients: each line of standard input is {"id":1,"host":"…","port":20000,"ms":3000}; one connection sends four bytes
// and wants them back, and the answer is {"id":1,"ok":true,"ms":12}. With "hold" it then stays open, and every later
// line {"id":1,"again":true} sends four more bytes over it.
interface Order {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly ms: number;
  readonly hold?: boolean;
  readonly again?: boolean;
}

const held = new Map<number, ReturnType<typeof connect>>();

createInterface({ input: process.stdin }).on("line", (line) => {
  const order = JSON.parse(line) as Order; // written by the test beside this file
  const start = performance.now();
  const socket = order.again ? held.get(order.id) : connect({ host: order.host, port: order.port });
  const answer = (ok: boolean, error?: string): void => {
    clearTimeout(timer);
    socket?.removeAllListeners("data").removeAllListeners("close");
    process.stdout.write(`${JSON.stringify({ id: order.id, ok, ms: performance.now() - start, error })}\n`);
    if (order.hold && ok && socket) held.set(order.id, socket);
    else if (!order.again) socket?.destroy();
  };
  const timer = setTimeout(() => answer(false, "no answer in time"), order.ms);
  if (!socket || socket.destroyed) return answer(false, "closed before");
  socket.on("error", () => {});
  socket.once("close", () => answer(false, "closed"));
  socket.once("data", () => answer(true));
  socket.write("ping");
});
