import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { cellsOf, rowsOf } from "../fixtures/attack-table.ts";

const root = join(import.meta.dirname, "../..");

/** What needs no test: it says what something is, not what it withstands. */
const facts = [/^A relay holds no secret/];

test("every claim of SECURITY.md points to its tests, which exist", async () => {
  const text = await readFile(join(root, "SECURITY.md"), "utf8");
  const claims = text
    .split(/^- /m)
    .slice(1)
    .map((claim) => claim.split(/\n(?:\n|#)/)[0] ?? "");
  assert.ok(claims.length > 10);
  for (const claim of claims.filter((one) => !facts.some((fact) => fact.test(one)))) {
    const links = linksOf(claim).filter((link) => link.startsWith("test/"));
    assert.ok(links.length > 0, `no test for: ${claim}`);
  }
  for (const link of linksOf(text)) assert.ok(existsSync(join(root, link)), link);
});

test("every point of the table of attacks has rows, and each row's test is there", async () => {
  const page = join(root, "docs/security-tests.md");
  const text = await readFile(page, "utf8");
  const rows = rowsOf(text).map(cellsOf);
  const points = [...text.matchAll(/^(\d+)\. /gm)].map(([, point]) => point);
  assert.ok(points.length >= 17);
  for (const point of points)
    assert.ok(
      rows.some(([of]) => of === point),
      `point ${point} has a row`,
    );
  for (const [, title, , tries, file = ""] of rows) {
    assert.match(tries ?? "", /^[1-9][\d,]*$/, title);
    assert.ok(existsSync(join(dirname(page), linksOf(file)[0] ?? "none")), file);
  }
});

function linksOf(text: string): string[] {
  return [...text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].flatMap(([, link]) => link ?? []);
}
