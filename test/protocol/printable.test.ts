import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../../protocol/limits.ts";
import { isPrintable, printable, printableJson } from "../../protocol/printable.ts";

const steering = [
  "\0",
  "\u0007",
  "\b",
  "\t",
  "\n",
  "\r",
  "\u001b[2J",
  "\u001b]52;c;eA==\u0007",
  "\u007f",
  "\u009b31m",
  "\u009d0;title\u009c",
  "\u0085",
  "\u00ad",
  "\u034f",
  "\u061c",
  "\u115f",
  "\u180e",
  "\u200b",
  "\u200e",
  "\u202e",
  "\u2028",
  "\u2029",
  "\u2060",
  "\u2066",
  "\u2800",
  "\u3164",
  "\ud800",
  "\udc00",
  "\ue000",
  "\ufe0f",
  "\ufeff",
  "\ufff9",
  "\uffff",
  "\u{e0041}",
  "\u{e0100}",
  "e\u0301\u0301\u0301\u0301",
];

test("what steers, breaks or hides is written out, and the text around it stays", () => {
  for (const text of steering) {
    assert.ok(!isPrintable(text), JSON.stringify(text));
    const shown = printable(`a${text}b`);
    assert.ok(isPrintable(shown), shown);
    assert.match(shown, /^a.*\\u[0-9a-f]{4}.*b$/);
  }
  assert.equal(printable("\u001b[2J"), String.raw`\u001b[2J`);
  assert.equal(printable("\u{e0041}"), String.raw`\udb40\udc41`);
});

test("ordinary text of any language is shown as it is", () => {
  for (const text of [
    "",
    "anna@desk",
    "José Ñandú",
    "नमस्ते",
    "日本語",
    "שלום",
    "😀",
    "a → b",
    "3\u202fPM",
    "e\u0301",
  ]) {
    assert.ok(isPrintable(text), JSON.stringify(text));
    assert.equal(printable(text), text);
  }
});

test("a line has an end, whatever it is made of", () => {
  for (const text of ["x", "\n", "😀", "\u{e0041}"]) {
    const shown = printable(text.repeat(1_000_000));
    assert.ok(shown.length <= limits.lineCharacters + 1, text);
    assert.ok(shown.endsWith("…"));
    assert.ok(isPrintable(shown), JSON.stringify(shown.slice(-8)));
  }
});

test("an event in JSON hides nothing and reads back as it was", () => {
  const event = { reason: steering.join(" "), ["\u202ekey"]: 1 };
  const line = printableJson(event);
  assert.ok(isPrintable(line), line);
  assert.deepEqual(JSON.parse(line), event);
});
