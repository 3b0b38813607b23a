import assert from "node:assert/strict";
import { test } from "node:test";
import { createExposure } from "../../agent/exposure.ts";
import { parseTarget } from "../../agent/target.ts";
import { createUp } from "../../embedded/up.ts";
import { createPump } from "../../net/create-pump.ts";
import { silentLog } from "../../net/log.ts";
import { createApi } from "../../protocol/client.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";

/** A control plane with a relay, and what an exposure needs of them. */
async function startFixture() {
  await using held = new AsyncDisposableStack();
  const dir = held.use(await createTempDir());
  const pump = held.use(await createPump({ choice: "portable", log: silentLog }));
  const up = held.use(
    await createUp({
      stateDir: dir.path,
      host: "127.0.0.1",
      controlPort: 0,
      relayPort: 0,
      ports: { from: 23_240, to: 23_250 },
      region: "local",
      pump,
      log: silentLog,
      signal: new AbortController().signal,
    }),
  );
  const target = parseTarget("127.0.0.1:9");
  const request = { target: target.label, name: "desk" };
  const rest = { request, target, pool: 1, pump, log: silentLog, onEvent: () => {} };
  const stack = held.move();
  return {
    api: createApi({ url: up.ownControl, token: up.token }),
    rest,
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}

test("a session that is made while its agent is interrupted is ended again", async () => {
  await using fixture = await startFixture();
  const { api, rest } = fixture;
  const controller = new AbortController();
  const createSession: typeof api.createSession = async (request) => {
    const session = await api.createSession(request);
    controller.abort();
    return session;
  };
  const exposing = createExposure({ ...rest, api: { ...api, createSession }, signal: controller.signal });
  await assert.rejects(exposing, (error) => error === controller.signal.reason);
  assert.deepEqual(await api.listSessions(), []);
});

test("an agent that is interrupted before its control connection is there leaves no session behind", async () => {
  await using fixture = await startFixture();
  const { api, rest } = fixture;
  const controller = new AbortController();
  await using exposure = await createExposure({ ...rest, api, signal: controller.signal });
  controller.abort();
  assert.equal(await exposure.done, "aborted");
  assert.deepEqual(await api.listSessions(), []);
});

test("an interrupted agent ends no session that had an agent before", async () => {
  await using fixture = await startFixture();
  const { api, rest } = fixture;
  const ready = Promise.withResolvers<void>();
  await using older = await createExposure({
    ...rest,
    api,
    signal: new AbortController().signal,
    onEvent: ({ type }) => type === "ready" && ready.resolve(),
  });
  await ready.promise;
  const controller = new AbortController();
  await using newer = await createExposure({ ...rest, api, signal: controller.signal });
  controller.abort();
  assert.equal(await newer.done, "aborted");
  const left = await api.listSessions();
  assert.deepEqual(
    left.map(({ id }) => id),
    [older.session.id],
  );
});
