import assert from "node:assert/strict";
import { test } from "node:test";
import { createShares } from "../../protocol/shares.ts";
import { seededRandom } from "../fixtures/random.ts";

/** A plain model: every place in a list, the oldest first. */
interface Place {
  readonly holder: string;
  readonly item: number;
  yields: boolean;
}

test("100,000 random steps agree with a plain model, and a newcomer finds a place", () => {
  for (const { max, greed } of [
    { max: 1, greed: 4 },
    { max: 7, greed: 1 },
    { max: 40, greed: 4 },
  ]) {
    const random = seededRandom(max);
    const below = (n: number): number => Math.floor(random() * n);
    const shares = createShares<number>({ max, greed });
    let places: Place[] = [];
    const held = (holder: string): number => places.filter((place) => place.holder === holder).length;
    const yielding = (holder: string): Place[] =>
      places.filter((place) => place.holder === holder && place.yields);
    const hasRoom = (holder: string): boolean =>
      places.length < max && held(holder) < Math.max(1, greed * (max - places.length));
    for (let step = 0; step < 33_334; step += 1) {
      const holder = `holder ${below(6)}`;
      const some = places[below(Math.max(1, places.length))];
      switch (below(6)) {
        case 0:
        case 1: {
          const room = hasRoom(holder);
          const most = Math.max(0, ...places.map((place) => yielding(place.holder).length));
          const before = places;
          const entry = shares.enter(holder, step);
          if (room) assert.equal(entry, "entered");
          else if (entry === "refused") {
            const own = yielding(holder).length;
            assert.ok(before.length < max ? own === 0 : own >= most && own === 0 ? most === 0 : most <= own);
          } else {
            assert.ok(typeof entry === "object", `${JSON.stringify(entry)} without room`);
            const gone = places.find(({ item }) => item === entry.givesWay);
            assert.ok(gone?.yields);
            assert.equal(yielding(gone.holder)[0], gone, "the oldest of its holder gives way");
            if (gone.holder !== holder) assert.equal(yielding(gone.holder).length, most, "of the largest");
            places = places.filter((place) => place !== gone);
          }
          if (entry !== "refused") places = [...places, { holder, item: step, yields: true }];
          break;
        }
        case 2:
          if (some) shares.leave(some.item);
          if (some?.yields) places = places.filter((place) => place !== some);
          break;
        case 3:
          if (some) assert.equal(shares.settle(some.item), some.yields ? some.holder : undefined);
          if (some) some.yields = false;
          break;
        case 4: {
          const room = hasRoom(holder);
          assert.equal(shares.take(holder), room);
          if (room) places = [...places, { holder, item: -1 - step, yields: false }];
          break;
        }
        default:
          if (!some || some.yields) break;
          shares.give(some.holder);
          places = places.filter((place) => place !== some);
      }
      assert.equal(shares.inUse, places.length);
      assert.ok(shares.inUse <= max);
      assert.equal(shares.held(holder), held(holder));
    }
  }
});

test("one holder that wants all leaves room for others, and shares of many come near each other", () => {
  const shares = createShares<string>({ max: 100, greed: 4 });
  while (shares.take("first"));
  assert.equal(shares.held("first"), 80);
  while (shares.take("second"));
  assert.equal(shares.held("second"), 16);
  const holders = ["first", "second", "third"];
  for (let round = 0; round < 200; round += 1) {
    for (const holder of holders) shares.give(holder);
    for (const holder of [...holders, ...holders]) shares.take(holder);
  }
  const each = holders.map((holder) => shares.held(holder));
  assert.ok(Math.min(...each) >= 25, each.join());
});

test("when all places yield, the largest holder's oldest gives way, and a holder at its share loses its own", () => {
  const shares = createShares<string>({ max: 4, greed: 100 });
  for (const item of ["a1", "a2", "a3", "b1"]) assert.equal(shares.enter(item.slice(0, 1), item), "entered");
  assert.deepEqual(shares.enter("c", "c1"), { givesWay: "a1" });
  assert.deepEqual(shares.enter("a", "a4"), { givesWay: "a2" });
  shares.settle("b1");
  shares.settle("c1");
  assert.deepEqual(shares.enter("d", "d1"), { givesWay: "a3" });
  shares.settle("a4");
  shares.settle("d1");
  assert.equal(shares.enter("e", "e1"), "refused");
});
