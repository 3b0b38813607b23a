import assert from "node:assert/strict";
import { test } from "node:test";
import { dialClient, dialHalf, startBench, until, waitingHalf } from "./harness.ts";
import type { Bench, Half } from "./harness.ts";

const session = "s_sessionundertest0000";
const none = { clientPort: null } as const;

/** A client of the owner's, which waits. */
async function ticketedClient(bench: Bench, ticket?: string): Promise<Half> {
  const client = await dialHalf(bench, ticket ?? (await bench.ticket({ ...none, kind: "client" })), "client");
  assert.equal((await client.answer()).type, "waiting");
  return client;
}

async function refusedWith(half: Half): Promise<number> {
  const answer = await half.answer();
  return answer.type === "refused" ? answer.status : 0;
}

/** What the control plane heard of this kind. */
function said(bench: Bench, type: string): unknown[] {
  return bench.control.said.filter((signal) => (signal as { type: string }).type === type); // signals are objects
}

test("a session without port waits at once, opens no port, and serves who has a ticket", async () => {
  await using bench = await startBench();
  const half = await waitingHalf(bench, await bench.ticket(none));
  assert.equal(bench.relay.metrics().sessions, 1);
  await assert.rejects(dialClient(bench), { code: "unreachable" });
  const client = await ticketedClient(bench);
  assert.equal((await half.answer()).type, "paired");
  assert.equal((await client.answer()).type, "paired");
  client.socket.write("hello");
  assert.equal(String(await half.received(5)), "hello");
  half.socket.end("bye");
  assert.equal(String(await client.rest()), "bye");
  client.socket.end();
  await until(() => bench.relay.metrics().pairs === 0, "the pair is over");
});

test("a client may come before the first half, and waits for it", async () => {
  await using bench = await startBench({ clientWaitMs: 60_000 });
  const client = await ticketedClient(bench);
  const half = await dialHalf(bench, await bench.ticket(none));
  assert.equal((await half.answer()).type, "waiting");
  assert.equal((await half.answer()).type, "paired");
  assert.equal((await client.answer()).type, "paired");
});

test("a client to whom no agent comes is told so, and nothing is left of the session", async () => {
  await using bench = await startBench({ clientWaitMs: 50 });
  const client = await ticketedClient(bench);
  assert.equal(await refusedWith(client), 504);
  await until(() => bench.relay.metrics().sessions === 0, "the session is forgotten");
});

test("a newer agent replaces the halves of the older one, also after a while without any", async () => {
  await using bench = await startBench();
  const older = await waitingHalf(bench, await bench.ticket(none));
  const newer = await waitingHalf(bench, await bench.ticket({ ...none, epoch: 2 }));
  assert.equal(await refusedWith(older), 409);
  newer.socket.destroy();
  await until(() => bench.relay.metrics().halvesWaiting === 0, "nobody waits");
  assert.equal(await refusedWith(await dialHalf(bench, await bench.ticket(none))), 409, "it is remembered");
});

test("a control plane that is back hears of sessions without port", async () => {
  await using bench = await startBench();
  await waitingHalf(bench, await bench.ticket({ ...none, epoch: 3 }));
  bench.control.reconnect();
  const listed = { session, owner: "a_owner", port: null, epoch: 3 };
  await until(
    () => said(bench, "sessions").some((signal) => JSON.stringify(signal).includes(session)),
    "the relay says what it serves",
  );
  assert.deepEqual(said(bench, "sessions").at(-1), { type: "sessions", sessions: [listed] });
});

test("an invited machine without a port is announced as it comes and goes", async () => {
  await using bench = await startBench();
  const half = await waitingHalf(bench, await bench.ticket({ ...none, invited: true }));
  await until(() => said(bench, "presence").length === 1, "it is here");
  half.socket.destroy();
  await until(() => said(bench, "presence").length === 2, "it is gone");
  const of = { type: "presence", session, owner: "a_owner" };
  assert.deepEqual(said(bench, "presence"), [
    { ...of, present: true },
    { ...of, present: false },
  ]);
});

test("leave, end and drain take the waiting halves and clients of a session without port", async () => {
  await using bench = await startBench();
  const left = await waitingHalf(bench, await bench.ticket(none));
  bench.control.leave(session);
  assert.equal(await refusedWith(left), 503);
  await until(() => bench.relay.metrics().sessions === 0, "it is elsewhere");
  const back = await waitingHalf(bench, await bench.ticket(none));
  const client = await bench.ticket({ ...none, kind: "client" });
  bench.control.end({ session, until: Math.floor(Date.now() / 1_000) + 3_600 });
  assert.equal(await refusedWith(back), 410);
  assert.equal(
    await refusedWith(await dialHalf(bench, client, "client")),
    410,
    "client tickets are dead too",
  );
  const other = { ...none, session: "s_anothersession000000" };
  const drained = await waitingHalf(bench, await bench.ticket(other));
  const done = bench.relay.drain(10_000);
  assert.equal(await refusedWith(drained), 503);
  await done;
});

test("a session that becomes private closes its port at once, by signal or by half", async () => {
  await using bench = await startBench();
  await waitingHalf(bench, await bench.ticket({ revision: 1 }));
  (await dialClient(bench)).socket.destroy();
  bench.control.changePolicy(await bench.ticket({ ...none, revision: 2 }));
  await portCloses(bench);
  const half = await waitingHalf(bench, await bench.ticket({ ...none, revision: 2 }));
  const client = await ticketedClient(bench);
  assert.equal((await half.answer()).type, "paired");
  assert.equal((await client.answer()).type, "paired");
  await waitingHalf(bench, await bench.ticket({ revision: 3 }));
  (await dialClient(bench)).socket.destroy();
  await waitingHalf(bench, await bench.ticket({ ...none, revision: 4 }));
  await portCloses(bench);
});

test("a client's ticket that is older than the allow-list lets nobody in whom the list leaves out", async () => {
  await using bench = await startBench();
  await waitingHalf(bench, await bench.ticket({ ...none, allow: ["192.0.2.1"] }));
  const client = await dialHalf(bench, await bench.ticket({ ...none, kind: "client" }), "client");
  assert.equal(await refusedWith(client), 403);
});

/** Dials until nobody listens: a signal takes a moment. */
async function portCloses(bench: Bench): Promise<void> {
  for (;;) {
    const refused = await dialClient(bench).then(
      ({ socket }) => void socket.destroy(),
      (error: unknown) => error,
    );
    if (refused !== undefined) return;
  }
}
