import assert from "node:assert/strict";
import { test } from "node:test";
import { createApi } from "../../protocol/client.ts";
import { claimPorts } from "../fixtures/ports.ts";
import { runOk } from "../fixtures/processes.ts";
import { startRelay } from "../fixtures/relay.ts";
import { startUp } from "../fixtures/rendezvous.ts";
import { startSshd } from "../fixtures/sshd.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";
import { until, within } from "../fixtures/within.ts";
import { startJoinBench } from "./bench.ts";
import { joinWith } from "./joined.ts";
import { eachVariant, skipVariants, variants } from "./variants.ts";
import { relayMetrics } from "../fixtures/metrics.ts";

const skip = skipVariants || skipWithout("sshd", "ssh");
/** Halves that each machine keeps waiting. */
const pool = 2;

test(
  "a relay that was killed and started again is found by every method: the pool comes back and a new ssh works",
  { skip, concurrency: true },
  async (t) => {
    await using sshd = await startSshd();
    await using up = await startUp();
    await using state = await createTempDir();
    await using block = await claimPorts();
    const place = {
      stateDir: state.path,
      region: "far",
      sharedPort: block.port(0),
      ports: [block.port(1), block.port(10)],
    } as const;
    await using relays = new AsyncDisposableStack();
    const relay = relays.use(await startRelay(up, place));
    const api = createApi({ url: up.control, token: up.token });
    const [ready, away, served] = [barrier(), barrier(), barrier()];
    void ready.all.then(async () => await relay.killHard());
    const back = away.all.then(async () => void relays.use(await startRelay(up, place)));
    const full = served.all.then(async () => await poolsAreFull(place.sharedPort));

    await eachVariant(t, async (variant) => {
      const request = { target: `127.0.0.1:${sshd.port}`, service: "ssh", inviter: "Anna", region: "far" };
      const { url, session } = await api.createInvitation(request);
      const port = Number(session.address.split(":").at(-1));
      assert.ok(port >= place.ports[0] && port <= place.ports[1], "the session is at the relay to be killed");
      await using joined = await joinWith({ url }, variant);
      await joined.script.says("ready:");
      ready.arrive();
      await joined.script.says("is away", 60_000);
      away.arrive();
      await within(60_000, back, () => "some script has not noticed that the relay is away");
      await joined.script.says("the relay is back", 60_000);
      const ssh = [...sshd.options(port), sshd.login(), "echo again"];
      assert.equal(await runOk(requireTool("ssh"), ssh), "again\n");
      served.arrive();
      await within(60_000, full, () => "some pool has not come back");
      await api.endSession(session.id);
      assert.equal((await within(20_000, joined.script.exited, () => "the script goes on")).code, 0);
      assert.match(joined.script.output().stderr, /the inviter has ended the session\n$/);
      await joined.nothingLeft();
    });
  },
);

test("the end of its time ends a script in order", { skip: skipVariants, concurrency: true }, async (t) => {
  await using bench = await startJoinBench();
  await eachVariant(t, async (variant) => {
    const invited = await bench.invite("127.0.0.1:9", 5);
    await using joined = await joinWith(invited, variant);
    const { code } = await within(60_000, joined.script.exited, () => "the script goes on");
    assert.equal(code, 0);
    assert.match(joined.script.output().stderr, /the time of the invitation is over\n$/);
    await joined.nothingLeft();
  });
});

/** Resolves when every variant has arrived. */
function barrier(): { arrive(): void; readonly all: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let arrived = 0;
  const arrive = (): void => {
    arrived += 1;
    if (arrived === variants.length) resolve();
  };
  return { arrive, all: promise };
}

/** Waits until as many halves wait at the relay as all the machines together keep. */
async function poolsAreFull(sharedPort: number): Promise<void> {
  const wanted = `rdv_relay_halves_waiting ${pool * variants.length}`;
  await until(30_000, wanted, async () => {
    const metrics = await relayMetrics(`127.0.0.1:${sharedPort}`);
    return metrics.split("\n").includes(wanted) ? true : undefined;
  });
}
