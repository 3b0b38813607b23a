import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { ask, dial, readToEnd } from "../fixtures/clients.ts";
import { untilListening } from "../fixtures/listeners.ts";
import { claimPorts } from "../fixtures/ports.ts";
import { run, runOk, startProcess } from "../fixtures/processes.ts";
import { startRdv } from "../fixtures/rdv.ts";
import type { Rdv } from "../fixtures/rdv.ts";
import { startEcho } from "../fixtures/services.ts";
import { startSshd } from "../fixtures/sshd.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";
import { within } from "../fixtures/within.ts";

const text = (): string => randomBytes(600_000).toString("base64");

test("listen-listen joins nc with nc, whole in both directions", { skip: skipWithout("nc") }, async () => {
  await using block = await claimPorts();
  const [a, b] = [block.port(0), block.port(1)];
  await using bridge = await startBridge(listen(a), listen(b));
  const [one, other] = [text(), text()];
  const nc = async (port: number, input: string): Promise<string> =>
    await runOk(requireTool("nc"), ["-N", "127.0.0.1", String(port)], { input, ms: 15_000 });
  const [heardByOne, heardByOther] = await Promise.all([nc(a, one), nc(b, other)]);
  assert.ok(heardByOne === other && heardByOther === one);
  await bridge.event("closed", { outcome: "closed", aToB: one.length, bToA: other.length });
});

test(
  "connect-connect joins two listening nc and ends with 0 after --once",
  { skip: skipWithout("nc") },
  async () => {
    await using block = await claimPorts();
    const inputs = [text(), text()];
    const ports = [block.port(0), block.port(1)];
    await using held = new AsyncDisposableStack();
    const ncs = ports.map((port, index) =>
      held.use(
        startProcess(requireTool("nc"), ["-N", "-l", "127.0.0.1", String(port)], {
          input: inputs[index] ?? "",
        }),
      ),
    );
    for (const port of ports) await untilListening(port);
    const [a = 0, b = 0] = ports;
    await using bridge = await startBridge(dialTo(a), dialTo(b), "--once");
    for (const nc of ncs) assert.equal((await within(10_000, nc.exited, () => "nc's end")).code, 0);
    assert.deepEqual(
      ncs.map((nc) => nc.output().stdout),
      inputs.toReversed(),
    );
    assert.equal(await bridge.exitCode(), 0);
  },
);

test("listen-listen never pairs a peer that has gone, and --once ends with 0 after the first pair", async () => {
  await using block = await claimPorts();
  const [a, b] = [block.port(0), block.port(1)];
  await using bridge = await startBridge(listen(a), listen(b), "--once");
  const [broken, silent] = [await dial(a), await dial(a)];
  broken.write("never to be seen");
  broken.resetAndDestroy();
  silent.end();
  await within(10_000, readToEnd(silent), () => "the answer to a peer that said nothing and ended");
  const living = await dial(a);
  const other = await dial(b);
  const heard = [readToEnd(living), readToEnd(other)];
  living.end("from a");
  other.end("from b");
  const texts = (await Promise.all(heard)).map(({ bytes }) => bytes.toString());
  assert.deepEqual(texts, ["from b", "from a"]);
  assert.equal(await bridge.exitCode(), 0);
  await untilListening(a, false);
  await untilListening(b, false);
});

test("listen-connect forwards a port, also after one side was reset", async () => {
  await using block = await claimPorts();
  await using echo = await startEcho();
  const a = block.port(0);
  await using bridge = await startBridge(listen(a), dialTo(echo.port));
  const broken = await dial(a);
  broken.write("x");
  await bridge.event("paired");
  broken.resetAndDestroy();
  await bridge.event("closed", { outcome: "reset_by_a" });
  assert.equal((await ask(a, "still there")).bytes.toString(), "still there");
});

test("Ctrl-C ends a bridge with 130 and closes its ports and its pairs", async () => {
  await using block = await claimPorts();
  const [a, b] = [block.port(0), block.port(1)];
  await using bridge = await startBridge(listen(a), listen(b));
  const endings = [await dial(a), await dial(b)].map(readToEnd);
  await bridge.event("paired");
  bridge.interrupt();
  assert.equal(await bridge.exitCode(), 130);
  await Promise.all(
    endings.map(async (ending) => await within(10_000, ending, () => "the end of an open peer")),
  );
  await untilListening(a, false);
});

test(
  "the two-sided tunnel carries real ssh",
  { skip: skipWithout("sshd", "ssh", "ssh-keygen", "socat") },
  async (t) => {
    await using sshd = await startSshd();
    await using block = await claimPorts();
    const ssh = async (port: number, command: string): Promise<string> =>
      await runOk(requireTool("ssh"), [...sshd.options(port), sshd.login(), command], { ms: 30_000 });

    await t.test("with socat as the agent, one pair after the other", async () => {
      const [a, b] = [block.port(0), block.port(1)];
      await using _relay = await startBridge(listen(a), listen(b));
      for (const word of ["first", "second"]) {
        const agent = run(requireTool("socat"), [dialTo(a), dialTo(sshd.port)]);
        assert.equal(await ssh(b, `echo ${word}`), `${word}\n`);
        assert.equal((await agent).code, 0);
      }
    });

    await t.test("with rdv as the agent, one pair after the other and 10 at once", async () => {
      const [a, b] = [block.port(2), block.port(3)];
      await using _relay = await startBridge(listen(a), listen(b));
      await using _agent = await startBridge(dialTo(a), dialTo(sshd.port));
      for (const word of ["first", "second", "third"])
        assert.equal(await ssh(b, `echo ${word}`), `${word}\n`);
      await using folder = await createTempDir();
      const meet = `touch ${folder.path}/$$; until [ $(ls ${folder.path} | wc -l) -ge 10 ]; do sleep 0.05; done; echo met`;
      const answers = await Promise.all(Array.from({ length: 10 }, async () => await ssh(b, meet)));
      assert.deepEqual(
        answers,
        Array.from({ length: 10 }, () => "met\n"),
      );
    });
  },
);

function listen(port: number): string {
  return `tcp-listen:127.0.0.1:${port}`;
}

function dialTo(port: number): string {
  return `tcp:127.0.0.1:${port}`;
}

async function startBridge(...args: readonly string[]): Promise<Rdv & AsyncDisposable> {
  await using held = new AsyncDisposableStack();
  const folder = held.use(await createTempDir());
  const bridge = held.use(startRdv(["bridge", ...args], { stateDir: folder.path }));
  await bridge.event("ready", { command: "bridge" });
  const stack = held.move();
  return { ...bridge, [Symbol.asyncDispose]: async () => await stack.disposeAsync() };
}
