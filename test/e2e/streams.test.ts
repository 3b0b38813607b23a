import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { ask, dial, readToEnd } from "../fixtures/clients.ts";
import { runOk } from "../fixtures/processes.ts";
import { expose, startUp } from "../fixtures/rendezvous.ts";
import { startEcho, startService } from "../fixtures/services.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";
import { within } from "../fixtures/within.ts";

test("streams through rdv keep the meaning of TCP", async (t) => {
  await using up = await startUp();

  await t.test("the service is dialled when a client has come, not before", async () => {
    await using service = await startEcho();
    await using session = await expose(up.place, service.port);
    assert.equal((await ask(session.port, "first")).bytes.toString(), "first");
    assert.equal(service.accepted(), 1, "connections that the service has seen, for one client");
  });

  await t.test("nc gets back all that it sent", { skip: skipWithout("nc") }, async () => {
    await using service = await startEcho();
    await using session = await expose(up.place, service.port);
    const input = randomBytes(1_000_000).toString("base64");
    const output = await runOk(requireTool("nc"), ["-N", "127.0.0.1", String(session.port)], { input });
    assert.ok(output === input);
  });

  await t.test("a service may answer 8 MiB two seconds after the client's end", async () => {
    const [question, answer] = [randomBytes(1024 * 1024), randomBytes(8 * 1024 * 1024)];
    await using service = await startService();
    await using session = await expose(up.place, service.port);
    const client = await dial(session.port);
    const got = readToEnd(client);
    client.end(question);
    const served = await service.connection();
    const asked = await readToEnd(served);
    assert.ok(
      asked.how === "end" && asked.bytes.equals(question),
      `${asked.bytes.length} bytes, ${asked.how}`,
    );
    await delay(2_000); // The silence after a half-close is what is tested here.
    served.end(answer);
    const { bytes, how } = await got;
    assert.ok(how === "end" && bytes.equals(answer), `${bytes.length} of ${answer.length} bytes, ${how}`);
    client.destroy();
    await session.rdv.event("closed", {
      outcome: "closed",
      bytesIn: question.length,
      bytesOut: answer.length,
    });
  });

  await t.test("a service may speak first and end first", async () => {
    await using service = await startService((socket) => socket.end("220 hello\r\n"));
    await using session = await expose(up.place, service.port);
    const client = await dial(session.port);
    const { bytes, how } = await readToEnd(client);
    assert.deepEqual([bytes.toString(), how], ["220 hello\r\n", "end"]);
    client.write("a last word");
    client.end();
    assert.equal((await readToEnd(await service.connection())).bytes.toString(), "a last word");
  });

  await t.test("a client's reset arrives at the service as a reset", async () => {
    await using service = await startService();
    await using session = await expose(up.place, service.port);
    const client = await dial(session.port);
    client.write("x");
    const served = await service.connection();
    await once(served, "data");
    const ending = readToEnd(served);
    client.resetAndDestroy();
    assert.equal((await within(10_000, ending, () => "the reset at the service")).how, "ECONNRESET");
    await session.rdv.event("closed", { outcome: "reset_by_client" });
  });

  await t.test("a service's reset arrives at the client as a reset", async () => {
    await using service = await startService();
    await using session = await expose(up.place, service.port);
    const client = await dial(session.port);
    const ending = readToEnd(client);
    client.write("x");
    const served = await service.connection();
    await once(served, "data");
    served.resetAndDestroy();
    assert.equal((await within(10_000, ending, () => "the reset at the client")).how, "ECONNRESET");
    await session.rdv.event("closed", { outcome: "reset_by_agent" });
  });

  await t.test("clients that left while they waited are never paired, the one that stayed is", async () => {
    await using service = await startEcho();
    const first = await expose(up.place, service.port, "--name", "away");
    await first.rdv.killHard();
    const [broken, silent, staying] = [
      await dial(first.port),
      await dial(first.port),
      await dial(first.port),
    ];
    broken.write("never to be seen");
    broken.resetAndDestroy();
    silent.end();
    await within(
      10_000,
      readToEnd(silent),
      () => "the relay's answer to a client that said nothing and ended",
    );
    await using second = await expose(up.place, service.port, "--name", "away");
    const answer = readToEnd(staying);
    staying.end("I stayed");
    assert.equal((await within(10_000, answer, () => "the echo")).bytes.toString(), "I stayed");
    await second.rdv.event("closed", { bytesIn: 8 });
    assert.equal(service.spoken(), 1, "clients that reached the service");
    assert.equal(second.rdv.events().filter(({ event }) => event === "paired").length, 1);
  });
});
