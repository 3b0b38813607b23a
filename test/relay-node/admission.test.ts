import assert from "node:assert/strict";
import { test } from "node:test";
import { createAllowList } from "../../relay-node/allow-list.ts";
import { connectionBudget, descriptorLimit } from "../../relay-node/descriptors.ts";
import { createSourceRate } from "../../relay-node/source-rate.ts";

test("an empty allow-list allows all; a list allows what it names, in both families", () => {
  assert.equal(createAllowList([])("203.0.113.9"), true);
  const allows = createAllowList(["10.0.0.0/8", "203.0.113.7", "2001:db8::/32", "2001:db9::5"]);
  for (const address of ["10.1.2.3", "::ffff:10.1.2.3", "203.0.113.7", "2001:db8:1::1", "2001:db9::5"])
    assert(allows(address), address);
  for (const address of ["11.0.0.1", "203.0.113.8", "2001:db9::6", "::ffff:11.0.0.1", "", "not an address"])
    assert(!allows(address), address);
  assert.equal(createAllowList(["0.0.0.0/0"])("8.8.8.8"), true);
  assert.equal(createAllowList(["0.0.0.0/0"])("2001:db8::1"), false);
});

test("a source may burst, then gets its rate, and others do not pay for it", () => {
  let clock = 0;
  const may = createSourceRate({ now: () => clock, perSecond: 20, burst: 100 });
  const granted = (key: string, tries: number): number =>
    Array.from({ length: tries }, () => may(key)).filter(Boolean).length;
  assert.equal(granted("one", 150), 100);
  assert.equal(granted("other", 150), 100);
  clock = 500;
  assert.equal(granted("one", 50), 10);
  clock = 3_600_000;
  assert.equal(granted("one", 150), 100);
});

test("a clock that is set back costs a source nothing", () => {
  let clock = 3_600_000;
  const may = createSourceRate({ now: () => clock, perSecond: 1, burst: 2 });
  assert.equal(may("one"), true);
  clock = 0;
  assert.equal(may("one"), true);
  assert.equal(may("one"), false);
  clock = 1_000;
  assert.equal(may("one"), true);
});

test("the memory of sources is bounded, and the one seen least lately is forgotten", () => {
  const may = createSourceRate({ now: () => 0, perSecond: 1, burst: 1, remembered: 2 });
  assert.deepEqual([may("a"), may("b"), may("a")], [true, true, false]);
  may("c");
  assert.equal(may("b"), true, "b was forgotten");
  assert.equal(may("c"), false, "c is remembered");
});

test("the descriptor limit is read where it is told, and leaves a reserve", () => {
  assert.equal(
    descriptorLimit(() => "Max open files            20000                20000                files\n"),
    20_000,
  );
  assert.equal(
    descriptorLimit(() => "Max open files            unlimited            unlimited            files\n"),
    1_048_576,
  );
  assert.equal(
    descriptorLimit(() => {
      throw new Error("no /proc");
    }),
    1_024,
  );
  assert.deepEqual(
    [connectionBudget(20_000), connectionBudget(1_024), connectionBudget(64)],
    [19_488, 972, 32],
  );
});
