import { setTimeout as sleep } from "node:timers/promises";
import { createExposure } from "../../agent/exposure.ts";
import { parseTarget } from "../../agent/target.ts";
import { createPump } from "../../net/create-pump.ts";
import { silentLog } from "../../net/log.ts";
import { keepHeapSmall } from "../../net/small-heap.ts";
import { createApi } from "../../protocol/client.ts";

/**
 * One agent with many sessions of the same service, so that more pairs than one session carries can be idle in it.
 * Usage: RDV_CONTROL=… RDV_TOKEN=… node rdv-many-sessions.ts kernel|portable SERVICE_PORT SESSIONS
 * It prints one line, `ready ADDRESS ADDRESS …`, and runs until it is ended.
 */
const [choice, servicePort = "", sessions] = process.argv.slice(2);
keepHeapSmall();
const interrupt = new AbortController();
process.once("SIGTERM", () => interrupt.abort());
await using pump = await createPump({ choice: choice === "kernel" ? "kernel" : "portable", log: silentLog });
await using stack = new AsyncDisposableStack();
const addresses: string[] = [];
for (let serial = 0; serial < Number(sessions); serial++) addresses.push(await expose(`many-${serial}`));
process.stdout.write(`ready ${addresses.join(" ")}\n`);
await sleep(2 ** 31 - 1, undefined, { signal: interrupt.signal }).catch(() => {});

async function expose(name: string): Promise<string> {
  const target = parseTarget(`127.0.0.1:${servicePort}`);
  const { promise, resolve } = Promise.withResolvers<string>();
  stack.use(
    await createExposure({
      api: createApi({ url: process.env["RDV_CONTROL"] ?? "", token: process.env["RDV_TOKEN"] }),
      request: { name, target: target.label },
      target,
      pool: 2,
      pump,
      log: silentLog,
      signal: interrupt.signal,
      onEvent: (event) => {
        if (event.type === "ready") resolve(event.address);
      },
    }),
  );
  return await promise;
}
