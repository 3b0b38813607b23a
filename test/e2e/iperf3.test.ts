import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod";
import { startIperf3 } from "../fixtures/iperf3.ts";
import { runOk } from "../fixtures/processes.ts";
import { expose, startUp } from "../fixtures/rendezvous.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";

const Moved = z.object({ bytes: z.number() });
/** The part of iperf3's report that tells how much was sent, and what had arrived over each stream. */
const Report = z.object({
  end: z.object({ streams: z.array(z.object({ receiver: Moved })), sum_sent: Moved }),
});
const bytes = 400_000_000;
const streams = 4;

test(
  "real iperf3 through rdv fills several connections at once",
  { skip: skipWithout("iperf3") },
  async (t) => {
    await using server = await startIperf3();
    await using up = await startUp();
    await using session = await expose(up.place, server.port);
    const line = `-c 127.0.0.1 -p ${session.port} -P ${streams} -n ${bytes} -J`.split(" ");

    await t.test("from the client", async () => {
      check(await runOk(requireTool("iperf3"), line));
    });

    await t.test("to the client", async () => {
      check(await runOk(requireTool("iperf3"), [...line, "--reverse"]));
    });
  },
);

/** The receiver counts no further when the sender is done, so what is under way then is missing in its figures. */
function check(json: string): void {
  const { end } = Report.parse(JSON.parse(json));
  assert.ok(end.sum_sent.bytes >= bytes, `${end.sum_sent.bytes} of ${bytes} bytes were sent`);
  assert.equal(end.streams.length, streams);
  for (const { receiver } of end.streams)
    assert.ok(receiver.bytes > bytes / streams / 4, `a stream moved ${receiver.bytes} bytes`);
}
