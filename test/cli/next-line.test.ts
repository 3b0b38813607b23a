import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTarget } from "../../agent/target.ts";
import { nextLine, splitAddress } from "../../cli/next-line.ts";

const cases: readonly (readonly [target: string, line: string])[] = [
  ["22", "ssh -p 20000 ann@203.0.113.7"],
  ["http", "curl http://203.0.113.7:20000/"],
  ["nas:8080", "curl http://203.0.113.7:20000/"],
  ["https", "curl --insecure https://203.0.113.7:20000/"],
  ["postgres", "psql -h 203.0.113.7 -p 20000"],
  ["vnc", "vncviewer 203.0.113.7::20000"],
  ["rdp", "xfreerdp /v:203.0.113.7:20000"],
  ["9999", "nc 203.0.113.7 20000"],
];

for (const [target, line] of cases)
  test(`exposing ${target} prints \`${line}\``, () => {
    assert.equal(nextLine(parseTarget(target), { host: "203.0.113.7", port: 20_000 }, "ann"), line);
  });

test("an address with an IPv6 host is split at its last colon", () => {
  assert.deepEqual(splitAddress("[2001:db8::1]:20000"), { host: "2001:db8::1", port: 20_000 });
});
