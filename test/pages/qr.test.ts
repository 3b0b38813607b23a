import assert from "node:assert/strict";
import { test } from "node:test";
import jsqr from "jsqr";
import { formatQr } from "../../cli/qr.ts";

const pixels = 4;

test("a decoder reads the printed code on a dark and on a light terminal", () => {
  for (const url of [
    "https://rdv.example.org/j/K7Q2X-9FMTR",
    "http://127.0.0.1:8787/j/00000-ZZZZZ",
    `https://${"long-".repeat(20)}.example.org/j/K7Q2X-9FMTR`,
  ])
    for (const theme of ["dark", "light"] as const) assert.equal(decode(formatQr(url), theme), url, theme);
});

test("a code for an invitation fits a terminal of 80 by 24", () => {
  const lines = formatQr("https://rdv.example.org/j/K7Q2X-9FMTR").split("\n").slice(0, -1);
  assert.ok(lines.length <= 23, `${lines.length} lines`);
  assert.ok(lines.every((line) => line.length === lines[0]?.length && line.length <= 80));
  assert.match(lines.join(""), /^[█▀▄ ]+$/);
});

test("with color, every line sets white on black and ends it, and is otherwise the same", () => {
  const url = "https://rdv.example.org/j/K7Q2X-9FMTR";
  const [start, end] = ["\u001B[38;5;231;48;5;16m", "\u001B[0m"];
  const lines = formatQr(url, { color: true }).split("\n").slice(0, -1);
  assert.ok(lines.every((line) => line.startsWith(start) && line.endsWith(end)));
  assert.equal(lines.map((line) => `${line.slice(start.length, -end.length)}\n`).join(""), formatQr(url));
});

test("what does not fit a code is refused", () => {
  assert.throws(() => formatQr("x".repeat(5_000)));
});

/** Paints the text as a terminal of that theme would, two squares a cell, and reads the picture. */
function decode(printed: string, theme: "dark" | "light"): string | undefined {
  const rows = printed.split("\n").slice(0, -1).flatMap(halves);
  const height = rows.length * pixels;
  const width = (rows[0]?.length ?? 0) * pixels;
  const image = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1) {
      const ink = rows[Math.floor(y / pixels)]?.[Math.floor(x / pixels)] ?? false;
      image.set(ink === (theme === "dark") ? [255, 255, 255, 255] : [0, 0, 0, 255], (y * width + x) * 4);
    }
  return jsqr.default(image, width, height)?.data;
}

function halves(line: string): boolean[][] {
  const cells = Array.from(line);
  return [cells.map((cell) => "█▀".includes(cell)), cells.map((cell) => "█▄".includes(cell))];
}
