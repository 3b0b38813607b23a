import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod";
import { startIperf3 } from "../fixtures/iperf3.ts";
import { runOk } from "../fixtures/processes.ts";
import { expose, startUp } from "../fixtures/rendezvous.ts";
import { requireTool, skipWithout } from "../fixtures/tools.ts";

/** The part of iperf3's report that tells how much arrived, over how many streams. */
const Report = z.object({
  end: z.object({ streams: z.array(z.unknown()), sum_received: z.object({ bytes: z.number() }) }),
});

test(
  "real iperf3 through rdv moves all its bytes over several connections",
  { skip: skipWithout("iperf3") },
  async (t) => {
    await using server = await startIperf3();
    await using up = await startUp();
    await using session = await expose(up.place, server.port);
    const bytes = 400_000_000;
    for (const [direction, ...flags] of [["from the client"], ["to the client", "--reverse"]])
      await t.test(`${direction}, on 4 connections at once`, async () => {
        const args = [
          "-c",
          "127.0.0.1",
          "-p",
          String(session.port),
          "-P",
          "4",
          "-n",
          String(bytes),
          "-J",
          ...flags,
        ];
        const report = Report.parse(JSON.parse(await runOk(requireTool("iperf3"), args)));
        assert.equal(report.end.streams.length, 4);
        assert.ok(
          report.end.sum_received.bytes >= bytes * 0.99,
          `${report.end.sum_received.bytes} bytes arrived`,
        );
      });
  },
);
