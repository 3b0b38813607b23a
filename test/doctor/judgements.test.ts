import assert from "node:assert/strict";
import { test } from "node:test";
import { checkAddresses } from "../../cli/doctor/addresses.ts";
import { judgeClock } from "../../cli/doctor/clock.ts";
import { checkDescriptors } from "../../cli/doctor/descriptors.ts";
import { judgeName } from "../../cli/doctor/names.ts";
import { judgeNat } from "../../cli/doctor/nat.ts";
import { checkPump } from "../../cli/doctor/pump.ts";

test("a resolver that takes longer than a second is a warning, with what it answered", () => {
  const addresses = [
    { address: "198.51.100.7", family: 4 },
    { address: "2001:db8::7", family: 6 },
  ];
  const quick = judgeName("rdv.example.org", { addresses, ms: 12.3 });
  assert.equal(quick.status, "ok");
  assert.equal(quick.detail, "rdv.example.org: IPv4 198.51.100.7; IPv6 2001:db8::7; looked up in 12 ms");
  const slow = judgeName("rdv.example.org", { addresses: addresses.slice(0, 1), ms: 1_500 });
  assert.equal(slow.status, "warn");
  assert.match(slow.detail, /no IPv6; looked up in 1500 ms$/);
  assert.match(slow.advice ?? "", /the resolver is slow/);
});

test("clocks may be 5 s apart, and at 30 s tickets fail", () => {
  const statuses = [undefined, 0.4, -4, 5.5, -29, 31, -31].map((skew) => judgeClock(skew).status);
  assert.deepEqual(statuses, ["skip", "ok", "ok", "warn", "warn", "fail", "fail"]);
});

test("the kind of a NAT shows in how relays see one and the same port", () => {
  const [a, b, c] = [
    { address: "203.0.113.5", port: 40_000 },
    { address: "203.0.113.5", port: 40_001 },
    { address: "192.168.1.9", port: 50_000 },
  ] as const;
  const own = ["192.168.1.9"];
  assert.equal(judgeNat([], own).status, "skip");
  assert.match(
    judgeNat([a], own).detail,
    /seen as 203\.0\.113\.5:40000; its kind shows when more than one relay can be asked/,
  );
  assert.match(judgeNat([a, a], own).detail, /endpoint-independent mapping/);
  assert.match(judgeNat([a, b], own).detail, /was seen as 203\.0\.113\.5:40000, then 203\.0\.113\.5:40001$/);
  assert.equal(judgeNat([a, b], own).status, "warn");
  assert.match(judgeNat([c, c], own).detail, /^none on the way to the relays/);
});

test("fewer descriptors than a full session needs are a warning with the command that raises them", () => {
  assert.equal(checkDescriptors(20_000).status, "ok");
  const few = checkDescriptors(256);
  assert.equal(few.status, "warn");
  assert.match(few.detail, /^256 a process, so \d+ connections/);
  assert.match(few.advice ?? "", /ulimit -n/);
});

test("where the kernel cannot move the bytes the reason is said, and only on Linux is it a warning", async () => {
  const windows = await checkPump({ platform: "win32", arch: "x64" });
  assert.equal(windows.status, "ok");
  assert.match(windows.detail, /it needs Linux, this is win32/);
  const linux = await checkPump({ platform: "linux", arch: "mips" });
  assert.equal(linux.status, "warn");
  assert.match(linux.detail, /it needs x64 or arm64, this is mips/);
});

test("addresses are told apart by what they can reach", () => {
  const of = (address: string, family: "IPv4" | "IPv6", internal = false) =>
    family === "IPv4"
      ? { address, family, internal, netmask: "", mac: "", cidr: null }
      : { address, family, internal, netmask: "", mac: "", cidr: null, scopeid: 0 };
  const lo = [of("127.0.0.1", "IPv4", true)];
  assert.equal(checkAddresses({ lo }).status, "fail");
  assert.equal(
    checkAddresses({ lo, up0: [of("fe80::1", "IPv6"), of("169.254.3.4", "IPv4")] }).status,
    "warn",
  );
  const both = checkAddresses({ lo, up0: [of("192.168.1.9", "IPv4"), of("2001:db8::9", "IPv6")] });
  assert.equal(both.detail, "IPv4 192.168.1.9 (private: behind a NAT); IPv6 2001:db8::9");
});
