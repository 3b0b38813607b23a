import assert from "node:assert/strict";
import { test } from "node:test";
import { dial, readToEnd } from "../fixtures/clients.ts";
import { startService } from "../fixtures/services.ts";
import { until, within } from "../fixtures/within.ts";
import { startJoinBench } from "./bench.ts";
import { joinWith } from "./joined.ts";
import { eachVariant, skipVariants, variants } from "./variants.ts";

test(
  "a relay that was killed is found again, and the invitation's time ends it all",
  { skip: skipVariants, concurrency: true },
  async (t) => {
    await using bench = await startJoinBench();
    await using service = await startService((socket) => void socket.end("here"));
    const ready = barrier(variants.length);
    const away = barrier(variants.length);
    void ready.all.then(async () => await bench.killRelay());
    const back = away.all.then(async () => await bench.startRelay());

    await eachVariant(t, async (variant) => {
      const invited = await bench.invite(`127.0.0.1:${service.port}`, 14);
      await using joined = await joinWith(invited, variant);
      await joined.script.says("ready:", 15_000);
      ready.arrive();
      await joined.script.says("is away", 10_000);
      away.arrive();
      await within(15_000, back, () => "some script has not noticed that the relay is away");
      await served(invited.clientPort);
      await joined.script.says("the relay is back");
      const { code } = await within(20_000, joined.script.exited, () => "the script goes on");
      assert.equal(code, 0);
      assert.match(joined.script.output().stderr, /the time of the invitation is over\n$/);
      await joined.nothingLeft();
    });
  },
);

/** Resolves when as many as were announced have arrived. */
function barrier(count: number): { arrive(): void; readonly all: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let arrived = 0;
  const arrive = (): void => {
    arrived += 1;
    if (arrived === count) resolve();
  };
  return { arrive, all: promise };
}

async function served(port: number): Promise<void> {
  await until(12_000, `port ${port} is served`, async () => {
    const client = await dial(port).catch(() => undefined);
    if (!client) return undefined;
    const { bytes } = await within(11_000, readToEnd(client), () => "the connection goes on");
    client.destroy();
    return bytes.toString() === "here" ? true : undefined;
  });
}
