import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";

test("looking for quiet moments does not keep a process alive", async () => {
  const file = new URL("../../net/quiet-collection.ts", import.meta.url).href;
  const script = `import(${JSON.stringify(file)}).then(({ collectWhenQuiet }) => collectWhenQuiet());`;
  const child = spawn(process.execPath, ["-e", script], { stdio: "ignore" });
  const [code] = (await once(child, "exit")) as [number | null]; // "exit" tells code and signal
  assert.equal(code, 0);
});
