import { parentPort, workerData } from "node:worker_threads";
import { loadLibc } from "./libc.ts";
import { runLoop } from "./loop.ts";
import type { WorkerOrders } from "./worker-orders.ts";

if (parentPort === null)
  throw new Error("net/kernel/worker is started as a worker thread by the kernel pump");
const port = parentPort;
const libc = await loadLibc();
// Only the kernel pump starts this file, always with these orders.
const orders = workerData as WorkerOrders;
runLoop({ libc, orders, tell: () => port.postMessage(null), now: () => performance.now() });
