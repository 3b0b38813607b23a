import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { ObjectContext } from "../../control/platform.ts";
import type { Services } from "../../control/services.ts";
import { openDatabase } from "../../embedded/host/database.ts";
import { createObjectClass } from "../../embedded/host/objects.ts";
import { silentLog } from "../../net/log.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";

/** A class of counters on a real database; `created` lists the objects that came to life, `pass` moves the clock. */
async function createCounters() {
  const folder = await createTempDir();
  const database = openDatabase(join(folder.path, "objects.db"));
  const created: string[] = [];
  let now = 0;
  const blocked = Promise.withResolvers<void>();
  const create = (ctx: ObjectContext) => {
    created.push("counter");
    const kept = { list: [1] };
    return {
      verbs: {
        add: (amount: number): number => {
          const sum = Number(ctx.kv.get("sum") ?? 0) + amount;
          ctx.kv.put("sum", sum);
          return sum;
        },
        sum: (_input: null) => Number(ctx.kv.get("sum") ?? 0),
        share: (_input: null) => kept,
        touch: (_input: null) => ctx.kv.put("sum", 0),
        wait: async (_input: null) => await blocked.promise,
        fail: (_input: null) => {
          throw new Error("no");
        },
      },
    };
  };
  // Counters look at no service.
  const services = {} as Services;
  const unused = (): never => assert.fail("not used by counters");
  const counters = createObjectClass({
    className: "COUNTERS",
    create,
    begunBy: ["add", "wait"],
    services: () => services,
    database,
    alarms: unused,
    adopt: unused,
    log: silentLog,
    now: () => now,
  });
  return {
    counters,
    created,
    pass: (ms: number) => (now += ms),
    unblock: blocked.resolve,
    [Symbol.asyncDispose]: async () => {
      database[Symbol.dispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

test("an idle object leaves the memory and comes back with what it stored", async () => {
  await using fixture = await createCounters();
  const { counters, created, pass } = fixture;
  assert.equal(await counters.getByName("a").add(2), 2);
  counters.evictIdle();
  assert.equal(await counters.getByName("a").add(3), 5);
  assert.equal(created.length, 1, "just used, not evicted");
  pass(31_000);
  counters.evictIdle();
  assert.equal(await counters.getByName("a").add(4), 9);
  assert.equal(created.length, 2);
});

test("an object with work under way stays", async () => {
  await using fixture = await createCounters();
  const { counters, created, pass, unblock } = fixture;
  const work = counters.getByName("a").wait(null);
  pass(31_000);
  counters.evictIdle();
  await counters.getByName("a").add(1);
  assert.equal(created.length, 1);
  unblock();
  await work;
  await counters.settled();
});

test("objects are apart: by name, and by copies of what they give away", async () => {
  await using fixture = await createCounters();
  const { counters } = fixture;
  assert.equal(await counters.getByName("a").add(1), 1);
  assert.equal(await counters.getByName("b").add(1), 1);
  const shared = await counters.getByName("a").share(null);
  shared.list.push(2);
  assert.deepEqual(await counters.getByName("a").share(null), { list: [1] });
});

test("only an object's own verbs can be called, and a failure goes to the caller alone", async () => {
  await using fixture = await createCounters();
  const { counters } = fixture;
  const stub: object = counters.getByName("a");
  for (const name of ["toString", "constructor", "__proto__", "nothing"]) {
    const verb: unknown = Reflect.get(stub, name);
    assert.ok(typeof verb === "function");
    await assert.rejects(async () => await verb(null), TypeError);
  }
  await assert.rejects(counters.getByName("a").fail(null), /^Error: no$/);
  assert.equal(await counters.getByName("a").add(1), 1);
});

test("who asks for names at random makes no objects, and what exists answers", async () => {
  await using fixture = await createCounters();
  const { counters, created } = fixture;
  await counters.getByName("a").add(2);
  for (let i = 0; i < 1_000; i += 1) assert.equal(await counters.getByName(`random ${i}`).sum(null), 0);
  assert.equal(created.length, 2, "one stands for all that do not exist");
  assert.equal(await counters.getByName("a").sum(null), 2);
});

test("a verb that is not to begin an object and writes fails, and nothing is stored", async () => {
  await using fixture = await createCounters();
  const { counters } = fixture;
  await assert.rejects(counters.getByName("a").touch(null), /does not exist was begun/);
  assert.equal(await counters.getByName("a").sum(null), 0);
});

test("of many objects that are idle those that were used last stay in memory", async () => {
  await using fixture = await createCounters();
  const { counters, created } = fixture;
  for (let i = 0; i < 2_000; i += 1) await counters.getByName(`counter ${i}`).add(i);
  const before = created.length;
  assert.equal(await counters.getByName("counter 1999").add(1), 2_000);
  assert.equal(created.length, before, "still there");
  assert.equal(await counters.getByName("counter 0").add(1), 1);
  assert.equal(created.length, before + 1, "comes back from storage");
});
