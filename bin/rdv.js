#!/usr/bin/env node
// Starts the command: compiled code where the package was installed, the sources in a clone.
// Plain JavaScript that old Node versions can read, so that they get a clear answer or the clone's own Node.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const source = path("../cli/main.ts");
const inClone = existsSync(source);
const entry = inClone ? source : path("../dist/cli/main.js");
const newEnough = inClone ? major >= 24 : major > 22 || (major === 22 && minor >= 13);
const ownNode = path("../node_modules/node/bin/node");

if (newEnough) {
  process.argv[1] = entry;
  await import(new URL(`file://${entry}`).href);
} else if (existsSync(ownNode)) {
  runWith(ownNode);
} else {
  const remedy = inClone ? "run `npm install` first" : "install Node 22.13 or newer";
  console.error(`rdv: Node ${process.versions.node} is too old: ${remedy}`);
  process.exitCode = 1;
}

/** Hands over to a newer Node; the child ends with this process, however that ends, because it watches the channel. */
function runWith(node) {
  const child = spawn(node, [entry, ...process.argv.slice(2)], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: { ...process.env, RDV_LAUNCHED: "1" },
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code) => process.exit(code ?? 1));
}
