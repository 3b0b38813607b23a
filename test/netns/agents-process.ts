import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { createExposure } from "../../agent/exposure.ts";
import { parseTarget } from "../../agent/target.ts";
import { createLog } from "../../net/log.ts";
import { createPortablePump } from "../../net/portable-pump.ts";
import { createApi } from "../../protocol/client.ts";

// Many agents in one process, all for one echo service, each event a JSON line:
// node agents-process.ts CONTROL-URL COUNT '{"region":"eu","relays":2}', the key in RDV_TOKEN.
const [url = "", count = "1", request = "{}"] = process.argv.slice(2);
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());

const service = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on("error", () => socket.destroy());
  socket.pipe(socket);
});
service.listen({ host: "127.0.0.1", port: 0, backlog: 1_024 });
await new Promise((resolve) => service.once("listening", resolve));
const target = parseTarget(`127.0.0.1:${(service.address() as AddressInfo).port}`); // a listening TCP server has it
const api = createApi({ url, token: process.env["RDV_TOKEN"] });
await using pump = createPortablePump();
const log = createLog({ write: (line) => void process.stderr.write(line), level: "warn" });

/** Sessions that are created at once. */
const atOnce = 20;
const exposures: AsyncDisposable[] = [];
async function open(agent: number): Promise<void> {
  exposures.push(
    await createExposure({
      api,
      request: { target: "echo", name: `agent-${agent}`, ...JSON.parse(request) },
      target,
      pool: 2,
      pump,
      log,
      signal: stop.signal,
      onEvent: (event) =>
        process.stdout.write(`${JSON.stringify({ agent, at: Date.now(), ...event, event: event.type })}\n`),
    }),
  );
}
for (let first = 0; first < Number(count); first += atOnce)
  await Promise.all(
    Array.from(
      { length: Math.min(atOnce, Number(count) - first) },
      async (_, index) => await open(first + index),
    ),
  );
process.stdout.write('{"event":"all_created"}\n');
await new Promise((resolve) => stop.signal.addEventListener("abort", resolve));
await Promise.all(exposures.map(async (one) => await one[Symbol.asyncDispose]()));
service.close();
