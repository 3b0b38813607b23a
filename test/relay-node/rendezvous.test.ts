import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { createPump } from "../../net/create-pump.ts";
import { silentLog } from "../../net/log.ts";
import { createRendezvous } from "../../relay-node/rendezvous.ts";
import type { RendezvousHappened, RendezvousOptions } from "../../relay-node/rendezvous.ts";
import { dial, readHalf, until } from "./harness.ts";

test("who comes to one port is joined with who comes to the other, pair after pair and many at once", async () => {
  await using place = await start();
  const talks = Array.from({ length: 50 }, async (_, index) => {
    void place.dialB().then(echo);
    const first = await place.dialA();
    const text = `${index};`.repeat(5_000);
    first.socket.end(text);
    assert.equal((await first.rest()).toString(), text);
  });
  await Promise.all(talks);
  await until(() => place.events.filter(({ type }) => type === "closed").length === 50, "50 pairs closed");
});

test("a half that waits is joined in the order of arrival, and events name both peers", async () => {
  await using place = await start();
  const first = await place.dialA();
  const second = await place.dialA();
  first.socket.write("1");
  second.socket.write("2");
  const partner = await place.dialB();
  const peers = { a: address(first), b: address(partner) };
  assert.equal((await partner.received(1)).toString(), "1");
  assert.deepEqual(place.events, [{ type: "paired", pair: "1", ...peers }]);
  first.socket.end();
  await partner.rest();
  partner.socket.end();
  await until(() => place.events.length === 2, "closed");
  assert.deepEqual(place.events[1], {
    type: "closed",
    pair: "1",
    ...peers,
    aToB: 1,
    bToA: 0,
    outcome: "closed",
  });
});

test("a half that reset or left without a word is never joined", async () => {
  await using place = await start();
  const reset = await place.dialA();
  const left = await place.dialA();
  const stays = await place.dialA();
  reset.socket.write("I was here");
  reset.socket.resetAndDestroy();
  left.socket.end();
  await left.rest();
  const partner = await place.dialB();
  stays.socket.write("stayed");
  assert.equal((await partner.received(6)).toString(), "stayed");
});

test("a half that reset with more bytes than are read early is found within seconds", async () => {
  await using place = await start();
  const flood = await place.dialA();
  await new Promise((resolve) => void flood.socket.write(Buffer.alloc(400_000), resolve));
  const found = place.logged("not paired");
  flood.socket.resetAndDestroy();
  await found;
  const stays = await place.dialA();
  stays.socket.write("stayed");
  const partner = await place.dialB();
  assert.equal((await partner.received(6)).toString(), "stayed");
});

test("a half that sent a file and FIN is joined, but after one that is fully open", async () => {
  await using place = await start();
  const file = randomBytes(50_000);
  const sender = await place.dialA();
  sender.socket.end(file);
  const open = await place.dialA();
  open.socket.write("open");
  const first = await place.dialB();
  assert.equal((await first.received(4)).toString(), "open");
  const second = await place.dialB();
  assert(file.equals(await second.rest()));
  second.socket.end("got it");
  assert.equal((await sender.rest()).toString(), "got it");
});

test("a finished half is dropped after its time", async () => {
  await using place = await start({ finishedMs: 50 });
  const sender = await place.dialA();
  sender.socket.end("anybody?");
  assert.equal((await sender.rest()).length, 0);
});

test("the side that has too many waiting closes the next one", async () => {
  await using place = await start({ maxWaiting: 2 });
  const [one, two, three] = [await place.dialA(), await place.dialA(), await place.dialA()];
  assert.equal((await three.rest()).length, 0);
  one.socket.write("1");
  two.socket.write("2");
  for (const expected of ["1", "2"])
    assert.equal((await (await place.dialB()).received(1)).toString(), expected);
});

test("a flood before the pair arrives whole", async () => {
  await using place = await start();
  const flood = randomBytes(4 << 20);
  const sender = await place.dialA();
  sender.socket.end(flood);
  const receiver = await place.dialB();
  assert(flood.equals(await receiver.rest()));
  receiver.socket.end();
  await sender.rest();
});

test("once serves one pair, turns the others away and is done when the pair ends", async () => {
  await using place = await start({ once: true });
  const served = await place.dialA();
  const extra = await place.dialA();
  const partner = await place.dialB();
  served.socket.write("x");
  await partner.received(1);
  assert.equal((await extra.rest()).length, 0);
  await assert.rejects(place.dialA(), { code: "unreachable" });
  served.socket.end();
  await partner.rest();
  partner.socket.end();
  await place.rendezvous.done;
});

test("an abort ends everything: waiting halves with FIN, pairs with a reset, ports free", async () => {
  const controller = new AbortController();
  await using place = await start({ signal: controller.signal });
  const [one, other] = [await place.dialA(), await place.dialB()];
  one.socket.write("x");
  await other.received(1);
  const waiting = await place.dialA();
  await until(() => place.waitingSeen() === 3, "all arrived");
  controller.abort();
  await place.rendezvous.done;
  await assert.rejects(one.rest(), { code: "ECONNRESET" });
  await assert.rejects(other.rest(), { code: "ECONNRESET" });
  await waiting.rest().catch(() => {});
  await assert.rejects(place.dialA(), { code: "unreachable" });
});

type Half = ReturnType<typeof readHalf>;

async function echo(half: Half): Promise<void> {
  half.socket.end(await half.rest());
}

function address({ socket }: Half): string {
  return `127.0.0.1:${String(socket.localPort)}`;
}

async function start(options: Partial<RendezvousOptions> = {}) {
  const stack = new AsyncDisposableStack();
  const pump = stack.use(await createPump({ choice: "auto", log: silentLog }));
  const events: RendezvousHappened[] = [];
  const sockets: Half[] = [];
  let seen = 0;
  let wanted: { text: string; resolve: () => void } | undefined;
  const log = {
    ...silentLog,
    debug: (line: string) => {
      if (wanted && line.includes(wanted.text)) wanted.resolve();
    },
  };
  const local = { host: "127.0.0.1", port: 0 };
  const rendezvous = stack.use(
    await createRendezvous({
      a: local,
      b: local,
      once: false,
      pump,
      log,
      signal: new AbortController().signal,
      onEvent: (event) => void events.push(event),
      ...options,
    }),
  );
  const dialled = (port: number) => async (): Promise<Half> => {
    const half = readHalf(await dial(port));
    sockets.push(half);
    seen += 1;
    return half;
  };
  stack.defer(() => {
    for (const { socket } of sockets) socket.destroy();
  });
  return {
    rendezvous,
    events,
    dialA: dialled(rendezvous.a.port),
    dialB: dialled(rendezvous.b.port),
    waitingSeen: () => seen,
    async logged(text: string): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      wanted = { text, resolve };
      await promise;
    },
    [Symbol.asyncDispose]: async () => stack.disposeAsync(),
  };
}
