import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { loadLibc } from "../../../net/kernel/libc.ts";
import { probeSplice } from "../../../net/kernel/probe.ts";
import { runOk } from "../../fixtures/processes.ts";

const onLinux = { skip: process.platform === "linux" ? false : "the kernel pump needs Linux" };

test("a system without splice or pipes is told, and nothing stays open", onLinux, async () => {
  const libc = await loadLibc();
  const before = descriptors();
  probeSplice(libc);
  assert.throws(() => probeSplice({ ...libc, splice: () => -1 }), /^Error: splice failed with error \d+$/);
  assert.throws(() => probeSplice({ ...libc, pipe: () => -1 }), /^Error: pipe2 failed with error \d+$/);
  assert.equal(descriptors(), before);
});

test("without koffi's binary auto takes the portable pump and says what to install", onLinux, async () => {
  const output = await runOk(process.execPath, ["--input-type=module", "--eval", withoutKoffi]);
  assert.match(
    output,
    /^\S+ info pump: portable[^\n]*koffi does not load[^\n]*optional dependencies[^\n]*\nportable\n$/,
  );
});

const net = new URL("../../../net/", import.meta.url).href;
const withoutKoffi = `
  import { registerHooks } from "node:module";
  registerHooks({
    resolve(name, context, next) {
      if (name === "koffi") throw new Error("no binary");
      return next(name, context);
    },
  });
  const { createPump } = await import("${net}create-pump.ts");
  const { createLog } = await import("${net}log.ts");
  const log = createLog({ write: (line) => process.stdout.write(line), level: "info" });
  await using pump = await createPump({ choice: "auto", log });
  process.stdout.write(pump.kind + "\\n");
`;

function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}
