import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { createInterrupts } from "../../cli/interrupts.ts";
import { startProcess } from "../fixtures/processes.ts";
import { createUpPlace } from "../fixtures/rendezvous.ts";

function fakeProcess() {
  const exits: number[] = [];
  const signals = new EventEmitter();
  const exit = (code: number): never => void exits.push(code) as never; // the real one does not return
  return {
    exits,
    send: (signal: string) => signals.emit(signal),
    source: { on: signals.on.bind(signals), exit },
  };
}

test("the first signal aborts, its echo does nothing, and the next one ends the process with 130", () => {
  const { exits, send, source } = fakeProcess();
  let clock = 1_000;
  const { signal } = createInterrupts(source, { now: () => clock });
  assert.equal(signal.aborted, false);
  send("SIGINT");
  assert.equal(signal.aborted, true);
  clock += 20;
  send("SIGINT");
  assert.deepEqual(exits, []);
  clock += 500;
  send("SIGTERM");
  assert.deepEqual(exits, [130]);
});

test("at a terminal what is said after Ctrl-C begins a line of its own", async () => {
  await using place = await createUpPlace();
  const rdv = [process.execPath, join(import.meta.dirname, "../../cli/main.ts"), ...place.args];
  const command = `${rdv.join(" ")} --state-dir ${place.stateDir}`;
  await using terminal = startProcess("script", ["-qefc", command, "/dev/null"], { keepInput: true });
  await terminal.says("expose something in another shell");
  terminal.stdin.write("\u0003");
  await terminal.exited;
  assert.match(terminal.output().stdout, /\^C\r?\n+stopped\r?\n/);
});
