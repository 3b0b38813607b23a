import { connect, createServer, type Socket } from "node:net";
import { createPump } from "../../../net/create-pump.ts";
import { silentLog } from "../../../net/log.ts";
import { keepHeapSmall } from "../../../net/small-heap.ts";
import { leg } from "./rig.ts";

/** A relay hop in a process of its own: `hop-process.ts kernel|portable TARGET_PORT`; prints the port it listens on. */
const [choice, targetPort] = process.argv.slice(2);
if (choice !== "kernel" && choice !== "portable") throw new Error("kernel or portable");
keepHeapSmall(); // as the command does
const pump = await createPump({ choice, threads: 1, log: silentLog });

const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client: Socket) => {
  const target = connect({ host: "127.0.0.1", port: Number(targetPort), allowHalfOpen: true });
  target.once("connect", () => pump.join(leg(client), leg(target)));
});
server.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 }, () => {
  process.stdout.write(`${(server.address() as { port: number }).port}\n`); // a TCP listener that listens has a port
});
process.once("SIGTERM", () => process.exit(0));
