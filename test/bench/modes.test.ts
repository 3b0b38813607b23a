import assert from "node:assert/strict";
import { test } from "node:test";
import { startLoad } from "../../bench/load/load.ts";
import { startRdvMode } from "../../bench/peers/rdv-mode.ts";
import { modes } from "../../bench/peers/rdv-modes.ts";
import { createPortPicker } from "../../bench/peers/ports.ts";
import { touch } from "../../bench/peers/touch.ts";

const linuxOnly = { skip: process.platform !== "linux" && "the load generators call Linux" };

function modeNamed(wanted: string) {
  const mode = modes.find(({ name }) => name === wanted);
  assert.ok(mode, `no mode ${wanted}`);
  return mode;
}

test("a mode reaches the service through processes of relay, agent and client", linuxOnly, async () => {
  await using load = await startLoad();
  const mode = modeNamed("end to end over TLS legs");
  await using running = await startRdvMode(mode, createPortPicker(), load.service);
  const [address, ...more] = await running.addresses(3);
  assert.equal(more.length, 2);
  await touch(address);
  const pids = [...running.relayPids(), ...running.agentPids(), ...(running.clientPids?.() ?? [])];
  assert.equal(new Set(pids).size, 3);
});

test(
  "a connection that takes another way than the mode says is a problem, not a number",
  linuxOnly,
  async () => {
    await using load = await startLoad();
    const mode = { ...modeNamed("end to end over plain legs"), path: "direct" } as const;
    await assert.rejects(startRdvMode(mode, createPortPicker(), load.service), {
      message: 'the connection went by the way "relay", not "direct"',
    });
  },
);
