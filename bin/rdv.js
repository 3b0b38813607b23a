#!/usr/bin/env node
// Starts the command: compiled code where the package was installed, the sources in a clone.
// Plain JavaScript that old Node versions can read, so that they get a clear answer or the clone's own Node.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const source = path("../cli/main.ts");
const inClone = existsSync(source);
const entry = inClone ? source : path("../dist/cli/main.js");
const ownNode = path("../node_modules/node/bin/node");

if (inClone && !existsSync(path("../node_modules")))
  fail("dependencies are missing: run `npm install` first");
else if (isNewEnough(process.versions.node)) await runHere();
else if (inClone && existsSync(ownNode)) runWith(ownNode);
else
  fail(
    `Node ${process.versions.node} is too old: ${inClone ? "run `npm install`" : "install Node 22.13 or newer"}`,
  );

/** Sources need a Node that strips types without a warning, compiled code one that has `node:sqlite`. */
function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return inClone ? major >= 24 : major > 22 || (major === 22 && minor >= 13);
}

async function runHere() {
  silenceSqliteWarning();
  process.argv[1] = entry;
  await import(pathToFileURL(entry).href);
}

/** Node 22 warns about `node:sqlite`, whose used part has not changed since; every other warning is shown. */
function silenceSqliteWarning() {
  const emitWarning = process.emitWarning;
  process.emitWarning = (warning, ...rest) => {
    if (rest[0] === "ExperimentalWarning" && String(warning).startsWith("SQLite is an experimental")) return;
    emitWarning.call(process, warning, ...rest);
  };
}

/** Hands over to a newer Node and ends as it ends; killed, the child sees the channel close and ends too. */
function runWith(node) {
  const child = spawn(node, [entry, ...process.argv.slice(2)], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: { ...process.env, RDV_LAUNCHED: "1" },
  });
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => fail(`cannot start ${node}: ${error.message}`));
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    for (const each of signals) process.removeAllListeners(each);
    process.kill(process.pid, signal);
  });
}

function fail(reason) {
  console.error(`rdv: ${reason}`);
  process.exitCode = 1;
}
