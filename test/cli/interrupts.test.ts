import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { createInterrupts } from "../../cli/interrupts.ts";

function process() {
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
  const { exits, send, source } = process();
  let clock = 1_000;
  const { signal } = createInterrupts(source, () => clock);
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
