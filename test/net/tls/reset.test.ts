import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { resetSocket } from "../../../net/pump-reset.ts";
import { within } from "../../fixtures/within.ts";
import { createSecuredMaker } from "./secured.ts";

test("a TLS socket that is reset says so: it closes, and so does the socket below", async () => {
  await using maker = await createSecuredMaker();
  for (const end of ["client", "agent"] as const) {
    const { client, agent, below } = await maker.secured();
    for (const socket of [client, agent]) socket.on("error", () => {}).resume();
    const closes = [client, agent, below.client, below.agent].map(async (socket) => closed(socket));
    resetSocket(end === "client" ? client : agent);
    await within(10_000, Promise.all(closes), () => `the end of all sockets after a reset by the ${end}`);
    assert.ok(below.client.destroyed && below.agent.destroyed);
  }
});

/** Resolves at "close", also when an error comes first. */
async function closed(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => socket.once("close", () => resolve()));
}
