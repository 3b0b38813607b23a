import type { Socket } from "node:net";
import { createExposure } from "../../agent/exposure.ts";
import type { Exposure, ExposureDeps, ExposureEvent } from "../../agent/exposure.ts";
import { parseTarget } from "../../agent/target.ts";
import { silentLog } from "../../net/log.ts";
import type { Pump } from "../../net/pump.ts";
import { createPortablePump } from "../../net/portable-pump.ts";
import { readToEnd } from "../fixtures/clients.ts";

/** An exposure with its events in a list that can be waited for. */
export async function expose(
  control: { readonly api: ExposureDeps["api"]; readonly pump?: Pump },
  targetPort: number,
  options: Partial<ExposureDeps> = {},
): Promise<
  AsyncDisposable & {
    exposure: Exposure;
    events: ExposureEvent[];
    saw: (type: ExposureEvent["type"]) => Promise<ExposureEvent>;
  }
> {
  const events: ExposureEvent[] = [];
  const waiters = new Set<() => void>();
  await using own = new AsyncDisposableStack();
  const pump = control.pump ?? own.use(createPortablePump());
  const target = parseTarget(`127.0.0.1:${targetPort}`);
  const exposure = await createExposure({
    api: control.api,
    request: { target: target.label, suggestedName: "desk" },
    target,
    pool: 2,
    pump,
    log: silentLog,
    signal: new AbortController().signal,
    onEvent: (event) => {
      events.push(event);
      for (const waiter of waiters) waiter();
    },
    ...options,
  });
  const owned = own.move();
  let read = 0;
  return {
    exposure,
    events,
    /** The next event of this type that was not seen yet. */
    async saw(type) {
      const { promise, resolve } = Promise.withResolvers<ExposureEvent>();
      const look = (): void => {
        const index = events.findIndex((event, at) => at >= read && event.type === type);
        const event = events[index];
        if (!event) return;
        read = index + 1;
        waiters.delete(look);
        resolve(event);
      };
      waiters.add(look);
      look();
      return await promise;
    },
    [Symbol.asyncDispose]: async () => {
      await exposure[Symbol.asyncDispose]();
      await owned.disposeAsync();
    },
  };
}

/** Bytes that come after a 101 head on a socket that plays the client, which is read from the 101 on. */
export async function finish(client: Socket, text: string): Promise<string> {
  const ending = readToEnd(client);
  client.end(text);
  return (await ending).bytes.toString();
}
