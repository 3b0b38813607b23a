import { connect, createServer, type Socket } from "node:net";
import { createPump } from "../net/create-pump.ts";
import { createLog } from "../net/log.ts";
import type { Leg } from "../net/pump.ts";
import { keepHeapSmall } from "../net/small-heap.ts";

/**
 * One relay hop and nothing else, to be measured beside other relays: accepts on one port, dials another, joins.
 * Usage: node bench/pump-hop.ts kernel|portable LISTEN_PORT TARGET_PORT [threads]
 */
const [choice, listenPort, targetPort, threads] = process.argv.slice(2);
if ((choice !== "kernel" && choice !== "portable") || !Number(listenPort) || !Number(targetPort)) {
  process.stderr.write("usage: pump-hop.ts kernel|portable LISTEN_PORT TARGET_PORT [threads]\n");
  process.exit(2);
}

keepHeapSmall();
const log = createLog({ write: (line) => process.stderr.write(line), level: "info" });
const pump = await createPump({ choice, log, ...(threads ? { threads: Number(threads) } : {}) });
const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (client) => {
  client.on("error", () => {});
  const target = connect({ host: "127.0.0.1", port: Number(targetPort), allowHalfOpen: true, noDelay: true });
  target.on("error", () => client.destroy());
  target.once("connect", () => pump.join(leg(client), leg(target)));
});
server.listen({ host: "127.0.0.1", port: Number(listenPort), backlog: 4096 });

function leg(socket: Socket): Leg {
  return { socket, early: Buffer.alloc(0), ended: false };
}
