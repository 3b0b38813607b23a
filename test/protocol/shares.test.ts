import assert from "node:assert/strict";
import { test } from "node:test";
import { createShares, hasRoom } from "../../protocol/shares.ts";
import type { Place, Shares } from "../../protocol/shares.ts";
import { seededRandom } from "../fixtures/random.ts";

/** A plain model: every place in a list, the oldest first. */
interface Held {
  holder: string;
  /** Undefined when the place is known by itself. */
  readonly item: number | undefined;
  readonly place?: Place;
  yields: boolean;
}

const sizes = [
  { max: 1, greed: 4 },
  { max: 7, greed: 1 },
  { max: 40, greed: 4 },
];

test("100,000 random steps agree with a plain model", () => {
  for (const size of sizes) {
    const random = seededRandom(size.max);
    const below = (n: number): number => Math.floor(random() * n);
    const shares = createShares<number>(size);
    let model: readonly Held[] = [];
    for (let step = 0; step < 33_334; step += 1) {
      const holder = `holder ${below(6)}`;
      model = changed(shares, size, model, {
        holder,
        some: model[below(model.length)],
        what: below(8),
        step,
      });
      assert.equal(shares.inUse, model.length);
      assert.ok(shares.inUse <= size.max);
      assert.equal(shares.held(holder), heldBy(model, holder));
    }
  }
});

/** One step of both: `what` says which. */
function changed(
  shares: Shares<number>,
  { max, greed }: { max: number; greed: number },
  model: readonly Held[],
  { holder, some, what, step }: { holder: string; some: Held | undefined; what: number; step: number },
): readonly Held[] {
  const free = max - model.length;
  const room = hasRoom(heldBy(model, holder), free, greed);
  const without = (gone: Held | undefined): readonly Held[] => model.filter((one) => one !== gone);
  if (what < 3) return entered(shares, model, { holder, room, free, step });
  if (what === 3) {
    const place = shares.take(holder);
    assert.equal(place !== undefined, room);
    return place ? [...model, { holder, item: undefined, place, yields: false }] : model;
  }
  if (!some) return model;
  if (some.item === undefined) {
    if (some.place) shares.give(some.place);
    return without(some);
  }
  if (what === 4) {
    const place = shares.detach(some.item);
    assert.ok(place);
    return [...without(some), { holder: some.holder, item: undefined, place, yields: false }];
  }
  if (what === 5) {
    const may = holder === some.holder || hasRoom(heldBy(model, holder), free + 1, greed);
    assert.equal(shares.settle(some.item, holder), may);
    if (may) Object.assign(some, { holder, yields: false });
    return model;
  }
  shares.leave(some.item);
  shares.leave(some.item);
  return without(some);
}

function entered(
  shares: Shares<number>,
  model: readonly Held[],
  { holder, room, free, step }: { holder: string; room: boolean; free: number; step: number },
): readonly Held[] {
  const yielding = (of: string): Held[] => model.filter((one) => one.holder === of && one.yields);
  const own = yielding(holder).length;
  const most = Math.max(0, ...model.map((one) => yielding(one.holder).length));
  const entry = shares.enter(holder, step);
  assert.equal(entry === "entered", room);
  if (entry === "refused") {
    assert.equal(free > 0 ? own : most, 0, "nothing could give way");
    return model;
  }
  const mine: Held = { holder, item: step, yields: true };
  if (entry === "entered") return [...model, mine];
  const gone = model.find(({ item }) => item === entry.givesWay);
  assert.ok(gone);
  assert.equal(yielding(gone.holder)[0], gone, "the oldest of its holder gives way");
  assert.equal(
    yielding(gone.holder).length,
    free > 0 ? own : most,
    "of the largest, or of who has its share",
  );
  return [...model.filter((one) => one !== gone), mine];
}

function heldBy(model: readonly Held[], holder: string): number {
  return model.filter((one) => one.holder === holder).length;
}

test("one holder that wants all leaves room for others, and the shares of many come near each other", () => {
  const shares = createShares<string>({ max: 100, greed: 4 });
  const places = new Map<string, Place[]>();
  const take = (holder: string): boolean => {
    const place = shares.take(holder);
    if (place) places.set(holder, [...(places.get(holder) ?? []), place]);
    return place !== undefined;
  };
  while (take("first"));
  assert.equal(shares.held("first"), 80);
  while (take("second"));
  assert.equal(shares.held("second"), 16);
  const holders = ["first", "second", "third"];
  for (let round = 0; round < 200; round += 1) {
    for (const holder of holders) {
      const place = places.get(holder)?.pop();
      if (place) shares.give(place);
    }
    for (const holder of [...holders, ...holders]) take(holder);
  }
  const each = holders.map((holder) => shares.held(holder));
  assert.ok(Math.min(...each) >= 25, each.join());
});

test("when all places yield, the largest holder's oldest gives way, and a holder at its share loses its own", () => {
  const shares = createShares<string>({ max: 4, greed: 100 });
  for (const item of ["a1", "a2", "a3", "b1"]) assert.equal(shares.enter(item.slice(0, 1), item), "entered");
  assert.deepEqual(shares.enter("c", "c1"), { givesWay: "a1" });
  assert.deepEqual(shares.enter("a", "a4"), { givesWay: "a2" });
  for (const item of ["a3", "a4", "b1"]) assert.ok(shares.settle(item));
  assert.deepEqual(shares.enter("d", "d1"), { givesWay: "c1" });
  assert.ok(shares.settle("d1"));
  assert.equal(shares.enter("e", "e1"), "refused");
});
