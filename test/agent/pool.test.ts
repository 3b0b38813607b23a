import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createPool } from "../../agent/pool.ts";
import type { HalfFailure, Pool, PoolEffect, PoolEvent, PoolPlacement } from "../../agent/pool.ts";
import { limits } from "../../protocol/limits.ts";
import { seededRandom } from "../fixtures/random.ts";

const place: PoolPlacement = {
  relay: "r_aaaaaaaa",
  region: "here",
  host: "127.0.0.1",
  sharedPort: 8788,
  tls: null,
  clientPort: 20_000,
  ticket: "one",
  ticketExpires: 0,
  epoch: 1,
};
const unreachable: HalfFailure = { type: "unreachable", reason: "nothing listens there" };
const gone: HalfFailure = { type: "gone", reason: "closed" };

function refusal(code: (HalfFailure & { type: "refused" })["code"], retryAfterMs?: number): HalfFailure {
  return { type: "refused", code, reason: code, retryAfterMs };
}

function dialled(effects: readonly PoolEffect[]): number[] {
  return effects.flatMap((effect) => (effect.type === "dial" ? [effect.half] : []));
}

function types(effects: readonly PoolEffect[]): string[] {
  return effects.map((effect) => effect.type);
}

/** A pool of `size` with all its halves waiting, whose ids are returned. */
function warm(size = 2, once = false): { pool: Pool; halves: number[] } {
  const pool = createPool({ size, once });
  const [first = 0] = dialled(pool.step({ type: "placed", placement: place }, 0));
  const more = dialled(pool.step({ type: "accepted", half: first }, 0));
  for (const half of more) pool.step({ type: "accepted", half }, 0);
  assert.equal(pool.waiting, size);
  return { pool, halves: [first, ...more] };
}

describe("warm pool", () => {
  test("asks a new relay with one half and fills up when it is accepted", () => {
    const pool = createPool({ size: 3, once: false });
    const effects = pool.step({ type: "placed", placement: place }, 0);
    assert.deepEqual(types(effects), ["dial"]);
    const [half = 0] = dialled(effects);
    assert.deepEqual(types(pool.step({ type: "accepted", half }, 0)), ["up", "dial", "dial"]);
  });

  test("replaces a paired half at once, and dials as many more as clients wait", () => {
    const { pool, halves } = warm();
    assert.equal(dialled(pool.step({ type: "paired", half: halves[0] ?? 0, demand: 0 }, 1)).length, 1);
    assert.equal(dialled(pool.step({ type: "paired", half: halves[1] ?? 0, demand: 5 }, 1)).length, 6);
  });

  test("never has more than poolMax halves open, whatever demand the relay tells of", () => {
    const { pool, halves } = warm();
    pool.step({ type: "paired", half: halves[0] ?? 0, demand: 1e9 }, 1);
    assert.equal(pool.open, limits.poolMax);
  });

  test("halves dialled for a burst are used up and not replaced until size is reached again", () => {
    const { pool, halves } = warm();
    const extra = dialled(pool.step({ type: "paired", half: halves[0] ?? 0, demand: 4 }, 1));
    for (const half of extra) pool.step({ type: "accepted", half }, 1);
    assert.equal(pool.waiting, 6);
    for (const half of extra.slice(0, 4))
      assert.deepEqual(pool.step({ type: "paired", half, demand: 0 }, 1), []);
    assert.equal(pool.waiting, 2);
    assert.equal(dialled(pool.step({ type: "paired", half: extra[4] ?? 0, demand: 0 }, 1)).length, 1);
  });

  test("a relay that cannot be reached costs one attempt at a time and is reported once", () => {
    const { pool, halves } = warm(8);
    const effects = halves.flatMap((half) => pool.step({ type: "lost", half, failure: gone }, 60_000));
    assert.deepEqual(types(effects), ["retryLater", "down"]);
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const [half = 0, ...others] = dialled(pool.step({ type: "retry" }, 60_000));
      assert.deepEqual(others, []);
      assert.deepEqual(types(pool.step({ type: "lost", half, failure: unreachable }, 60_000)), [
        "unreachable",
        "retryLater",
      ]);
    }
  });

  test("a relay that may be gone is asked by one more half; the others wait on, and its failure is told", () => {
    const { pool } = warm();
    const asking = pool.step({ type: "check" }, 60_000);
    assert.deepEqual(types(asking), ["dial"]);
    assert.deepEqual(pool.step({ type: "check" }, 60_000), [], "one is on its way");
    const [first = 0] = dialled(asking);
    const lost = pool.step({ type: "lost", half: first, failure: unreachable }, 60_000);
    assert.deepEqual(types(lost), ["unreachable", "retryLater"]);
    assert.equal(pool.waiting, 2);
    const [second = 0] = dialled(pool.step({ type: "retry" }, 61_000));
    assert.deepEqual(types(pool.step({ type: "accepted", half: second }, 61_000)), ["up"]);
  });

  test("a relay that is left gets no new half, and what waits there may still be paired", () => {
    const { pool, halves } = warm();
    assert.deepEqual(pool.step({ type: "leave" }, 60_000), []);
    assert.deepEqual(pool.step({ type: "paired", half: halves[0] ?? 0, demand: 5 }, 60_000), []);
    assert.deepEqual(
      pool.step({ type: "lost", half: halves[1] ?? 0, failure: refusal("draining") }, 60_000),
      [],
    );
    assert.equal(pool.open, 0);
  });

  test("an outage counts as new only when the relay had been up for a while", () => {
    const flapping = warm(1);
    const again = flapping.pool.step({ type: "lost", half: flapping.halves[0] ?? 0, failure: gone }, 10);
    assert.deepEqual(again.at(-1), { type: "retryLater", fresh: false, atLeastMs: undefined });
    const steady = warm(1);
    const first = steady.pool.step({ type: "lost", half: steady.halves[0] ?? 0, failure: gone }, 60_000);
    assert.deepEqual(first.at(-1), { type: "retryLater", fresh: true, atLeastMs: undefined });
  });

  test("honours Retry-After, and a pair in the meantime does not shorten it", () => {
    const { pool, halves } = warm();
    const [fresh = 0] = dialled(pool.step({ type: "paired", half: halves[0] ?? 0, demand: 0 }, 1));
    const effects = pool.step({ type: "lost", half: fresh, failure: refusal("too_many", 7_000) }, 60_000);
    assert.deepEqual(effects, [{ type: "retryLater", fresh: true, atLeastMs: 7_000 }]);
    assert.deepEqual(pool.step({ type: "paired", half: halves[1] ?? 0, demand: 3 }, 60_000), []);
  });

  for (const code of ["replaced", "ended"] as const) {
    test(`stops for good when the relay says ${code}`, () => {
      const { pool, halves } = warm();
      const effects = pool.step({ type: "lost", half: halves[0] ?? 0, failure: refusal(code) }, 1);
      assert.deepEqual(effects, [
        { type: "drop", half: halves[1] },
        { type: "stop", reason: code },
      ]);
      assert.deepEqual(pool.step({ type: "placed", placement: { ...place, ticket: "two" } }, 1), []);
    });
  }

  test("an old epoch's halves go only after the new epoch is accepted, and `replaced` for them means nothing", () => {
    const { pool, halves } = warm();
    const next = { ...place, epoch: 2, ticket: "two" };
    const [half = 0] = dialled(pool.step({ type: "placed", placement: next }, 1));
    assert.deepEqual(pool.step({ type: "lost", half: halves[0] ?? 0, failure: refusal("replaced") }, 1), []);
    assert.deepEqual(types(pool.step({ type: "accepted", half }, 1)), ["up", "drop", "dial"]);
  });

  test("an expired ticket asks for new ones, and dials when they come", () => {
    const { pool, halves } = warm(1);
    const effects = pool.step({ type: "lost", half: halves[0] ?? 0, failure: refusal("ticket_expired") }, 1);
    assert.deepEqual(types(effects), ["down", "renew", "retryLater"]);
    assert.deepEqual(types(pool.step({ type: "placed", placement: { ...place, ticket: "two" } }, 1)), [
      "retryWithin",
    ]);
    const [dial] = pool.step({ type: "retry" }, 1);
    assert.equal(dial?.type === "dial" && dial.placement.ticket, "two");
  });

  test("a new ticket alone leaves the waiting halves alone", () => {
    const { pool } = warm();
    assert.deepEqual(pool.step({ type: "placed", placement: { ...place, ticket: "two" } }, 1), []);
    assert.equal(pool.waiting, 2);
  });

  for (const code of ["port_unavailable", "wrong_relay", "ticket_invalid", "draining", "full"] as const) {
    test(`reports ${code} to the control plane, once however many halves hear it`, () => {
      const { pool, halves } = warm();
      const effects = halves.flatMap((half) => pool.step({ type: "lost", half, failure: refusal(code) }, 1));
      assert.deepEqual(
        effects.filter((effect) => effect.type === "report"),
        [{ type: "report", code, placement: place }],
      );
    });
  }

  test("the news that the relay is back brings the next attempt forward, also beside one that hangs", () => {
    const { pool, halves } = warm(1);
    pool.step({ type: "lost", half: halves[0] ?? 0, failure: gone }, 1);
    pool.step({ type: "retry" }, 1);
    assert.deepEqual(pool.step({ type: "dial", withinMs: 300 }, 1), [{ type: "retryWithin", ms: 300 }]);
    assert.equal(dialled(pool.step({ type: "retry" }, 1)).length, 1);
    assert.equal(dialled(pool.step({ type: "retry" }, 1)).length, 0);
  });

  test("with once, the first pair ends the pool", () => {
    const { pool, halves } = warm(2, true);
    const effects = pool.step({ type: "paired", half: halves[0] ?? 0, demand: 9 }, 1);
    assert.deepEqual(effects, [{ type: "drop", half: halves[1] }]);
    assert.equal(pool.open, 0);
  });
});

describe("warm pool under random events", () => {
  for (let seed = 1; seed <= 60; seed += 1)
    test(`keeps its promises, seed ${seed}`, () => randomRun(seed, 600));
});

/** Plays relay, control plane and clock against one pool, and checks after every event what must always hold. */
function randomRun(seed: number, events: number): void {
  const random = seededRandom(seed);
  const size = 1 + Math.floor(random() * 6);
  const pool = createPool({ size, once: false });
  const open = new Map<number, "dialing" | "waiting">();
  let timerSet = false;
  let placement = place;
  let stopped = false;
  let now = 0;

  function apply(event: PoolEvent): void {
    for (const effect of pool.step(event, now)) {
      if (effect.type === "dial") {
        assert.ok(!open.has(effect.half), "a half's number is used once");
        assert.equal(effect.placement, placement, "only the present place is dialled");
        open.set(effect.half, "dialing");
      } else if (effect.type === "drop") assert.ok(open.delete(effect.half), "only an open half is dropped");
      else if (effect.type === "retryLater" || effect.type === "retryWithin") timerSet = true;
      else if (effect.type === "stop") stopped = true;
    }
    assert.equal(pool.open, open.size);
    if (stopped) return assert.equal(pool.open, 0, "a stopped pool holds nothing");
    assert.ok(open.size <= 2 * limits.poolMax, "bounded");
    const dialing = [...open.values()].includes("dialing");
    assert.ok(pool.waiting >= size || dialing || timerSet, "a pool that is not full has an attempt ahead");
  }

  const pick = (phase?: "dialing" | "waiting"): number | undefined => {
    const some = [...open].filter(([, is]) => phase === undefined || is === phase).map(([half]) => half);
    return some[Math.floor(random() * some.length)];
  };
  const failures = [
    unreachable,
    gone,
    refusal("too_many", 1_000),
    refusal("draining"),
    refusal("ticket_expired"),
    refusal("internal"),
  ];
  const moves: (() => void)[] = [
    () => {
      const half = pick("dialing");
      if (half === undefined) return;
      open.set(half, "waiting");
      apply({ type: "accepted", half });
    },
    () => {
      const half = pick("waiting");
      if (half === undefined) return;
      open.delete(half);
      apply({ type: "paired", half, demand: random() < 0.2 ? Math.floor(random() * 100) : 0 });
    },
    () => {
      const half = pick();
      if (half === undefined) return;
      open.delete(half);
      apply({ type: "lost", half, failure: failures[Math.floor(random() * failures.length)] ?? gone });
    },
    () => {
      if (!timerSet) return;
      timerSet = false;
      apply({ type: "retry" });
    },
    () => {
      placement = { ...placement, ticket: `t${now}`, epoch: placement.epoch + (random() < 0.5 ? 1 : 0) };
      apply({ type: "placed", placement });
    },
    () => apply({ type: "dial", withinMs: 100 }),
  ];
  const weights = [8, 5, 3, 4, 0.3, 0.3];

  apply({ type: "placed", placement });
  for (let i = 0; i < events && !stopped; i += 1) {
    now += random() * 3_000;
    if (random() < 0.001) {
      const half = pick();
      if (half !== undefined) {
        open.delete(half);
        apply({ type: "lost", half, failure: refusal("ended") });
        continue;
      }
    }
    moves[weighted(weights, random())]?.();
  }
  if (!stopped) settle();

  /** A well relay: everything is accepted, so the pool must come to exactly `size` and stay there. */
  function settle(): void {
    for (let i = 0; i < 200; i += 1) {
      const half = pick("dialing");
      if (half !== undefined) {
        open.set(half, "waiting");
        apply({ type: "accepted", half });
      } else if (timerSet) {
        timerSet = false;
        apply({ type: "retry" });
      } else if (pool.waiting > size) {
        const surplus = pick("waiting") ?? 0;
        open.delete(surplus);
        apply({ type: "paired", half: surplus, demand: 0 });
      }
    }
    assert.equal(pool.waiting, size);
    assert.equal(pool.open, size);
  }
}

function weighted(weights: readonly number[], random: number): number {
  let rest = random * weights.reduce((sum, weight) => sum + weight, 0);
  return weights.findIndex((weight) => (rest -= weight) < 0);
}
