import assert from "node:assert/strict";
import { test } from "node:test";
import {
  collectCidr,
  parseCount,
  parseDuration,
  parseListenPort,
  parseName,
  parsePort,
  parsePortRange,
  parseUrl,
} from "../../cli/values.ts";

test("a port is a whole number from 1 to 65535", () => {
  assert.equal(parsePort("22"), 22);
  for (const wrong of ["0", "65536", "-1", "2.5", "ssh", "", " 22", "1e3"])
    assert.throws(() => parsePort(wrong), /1 to 65535/, wrong);
  assert.equal(parseListenPort("0"), 0);
});

test("a range of ports has its first port first", () => {
  assert.deepEqual(parsePortRange("20000-29999"), { from: 20_000, to: 29_999 });
  assert.deepEqual(parsePortRange("443"), { from: 443, to: 443 });
  for (const wrong of ["2-1", "a-b", "1-", "-", "0-5", "1-70000"])
    assert.throws(() => parsePortRange(wrong), wrong);
});

test("a duration is read with its unit, in seconds", () => {
  assert.equal(parseDuration("2s"), 2);
  assert.equal(parseDuration("90"), 90);
  assert.equal(parseDuration("30m"), 1_800);
  assert.equal(parseDuration("8h"), 28_800);
  assert.equal(parseDuration("7d"), 604_800);
  for (const wrong of ["0s", "1w", "-1s", "1.5h", "", "366d"])
    assert.throws(() => parseDuration(wrong), /90s/, wrong);
});

test("allowed address ranges are collected and checked", () => {
  assert.deepEqual(collectCidr("2001:db8::/32", ["10.0.0.0/8"]), ["10.0.0.0/8", "2001:db8::/32"]);
  for (const wrong of ["10.0.0.0/33", "example.org", "10.0.0", ""])
    assert.throws(() => collectCidr(wrong, undefined), /203\.0\.113/, wrong);
});

test("names, counts and URLs say what is wrong with them", () => {
  assert.equal(parseName("my-desk"), "my-desk");
  assert.throws(() => parseName("My Desk"), /letters a-z/);
  assert.equal(parseCount(1, 32)("8"), 8);
  assert.throws(() => parseCount(1, 32)("33"), /from 1 to 32/);
  assert.equal(parseUrl("https://rdv.example.org/"), "https://rdv.example.org");
  assert.throws(() => parseUrl("rdv.example.org"), /https:\/\/HOST/);
});
