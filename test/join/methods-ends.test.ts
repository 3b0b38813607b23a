import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { test } from "node:test";
import { createIdentity } from "../../net/tls/certificate.ts";
import { dial, readToEnd } from "../fixtures/clients.ts";
import { startService } from "../fixtures/services.ts";
import { until, within } from "../fixtures/within.ts";
import { startJoinBench } from "./bench.ts";
import { joinWith } from "./joined.ts";
import { methodsTable } from "./methods-table.ts";
import type { Seen } from "./methods-table.ts";
import { eachVariant, secureVariants, skipVariants, variants } from "./variants.ts";

const all = [...variants, ...secureVariants];
const MiB = 1024 * 1024;
const table = new URL("../../docs/join-methods.md", import.meta.url);

test(
  "the ends of connections are carried as far as each method can, and the inviter ends it all",
  { skip: skipVariants, concurrency: true },
  async (t) => {
    await using bench = await startJoinBench({ tls: createIdentity() });
    const seen = new Map<string, Seen>();

    await eachVariant(
      t,
      async (variant) => {
        const resets: string[] = [];
        await using service = await startService((socket) => serve(socket, (how) => resets.push(how)));
        const invited = await bench.invite(`127.0.0.1:${service.port}`);
        await using joined = await joinWith(invited, variant);
        await joined.script.says("ready:", 20_000);
        const encrypted = !joined.script.output().stderr.includes("relay  in plain TCP, not encrypted:");
        assert.equal(encrypted, variant.encrypted, "the leg to the relay");

        const halfClose = await answerComesAfterTheEnd(invited.clientPort);
        assert.equal(halfClose, variant.halfClose, "a late answer after half-close");
        await serviceEndsFirst(invited.clientPort);
        const reset = (await endAfter(invited.clientPort, "reset me")) === "ECONNRESET";
        assert.equal(reset, variant.reset, "a reset by the service");
        await clientResets(invited.clientPort);
        await until(10_000, "the service hears of the client's reset", () => resets[0]);
        assert.equal(resets[0] === "ECONNRESET", variant.reset, "a reset by the client");
        await joined.script.says(variant.halfClose ? `${MiB + 1} bytes in` : "bytes in", 10_000);
        seen.set(variant.title, {
          title: variant.title,
          halfClose,
          reset,
          encrypted,
          counts: /closed: \S+, \d+ bytes in, \d+ bytes out/.test(joined.script.output().stderr),
        });

        const client = await dial(invited.clientPort);
        client.write("?");
        await once(client, "data");
        const ended = within(15_000, readToEnd(client), () => "the connection goes on");
        invited.end();
        await ended;
        assert.equal((await within(10_000, joined.script.exited, () => "the script goes on")).code, 0);
        assert.match(joined.script.output().stderr, /the inviter has ended the session\n$/);
        await joined.nothingLeft();
      },
      all,
    );

    if (seen.size < all.length) return; // A failure of one method is reported by its own test.
    const wanted = methodsTable(all.flatMap(({ title }) => seen.get(title) ?? []));
    if (process.env["RDV_WRITE_DOCS"] === "1") await writeFile(table, wanted);
    assert.equal(await readFile(table, "utf8"), wanted, "docs/join-methods.md says what was seen");
  },
);

/**
 * First byte: `a` answers 8 MiB after the client's end, `b` says goodbye and ends, `r` resets, `?` answers and stays,
 * and so does `x`, which then tells how the client left.
 */
function serve(socket: Socket, onLeft: (how: string) => void): void {
  socket.once("data", (first: Buffer) => {
    const kind = String.fromCharCode(first[0] ?? 0);
    let received = first.length;
    socket.on("data", (chunk: Buffer) => (received += chunk.length));
    if (kind === "a") socket.once("end", () => setTimeout(() => socket.end(answer(received)), 3_500));
    if (kind === "b") socket.end("goodbye");
    if (kind === "r") socket.resetAndDestroy();
    if (kind === "?" || kind === "x") socket.write("!");
    if (kind === "x")
      socket
        .once("error", (error: NodeJS.ErrnoException) => onLeft(error.code ?? ""))
        .once("end", () => onLeft("end"));
  });
}

function answer(received: number): Buffer {
  return Buffer.alloc(8 * MiB, `${received} `);
}

/** 1 MiB and its end; then 8 MiB come back, later than a tool that closes both ways would wait. */
async function answerComesAfterTheEnd(port: number): Promise<boolean> {
  const client = await dial(port);
  const ending = within(15_000, readToEnd(client), () => "the connection goes on");
  client.end(Buffer.alloc(MiB + 1, "a"));
  const { bytes, how } = await ending;
  client.destroy();
  return how === "end" && bytes.equals(answer(MiB + 1));
}

/** What a service said before its end arrives, and so does the end. */
async function serviceEndsFirst(port: number): Promise<void> {
  const client = await dial(port);
  const ending = within(15_000, readToEnd(client), () => "the connection goes on");
  client.write("bye");
  const { bytes, how } = await ending;
  client.destroy();
  assert.deepEqual({ text: bytes.toString(), how }, { text: "goodbye", how: "end" });
}

async function clientResets(port: number): Promise<void> {
  const client = await dial(port);
  client.write("x");
  await once(client, "data");
  client.resetAndDestroy();
}

async function endAfter(port: number, text: string): Promise<string> {
  const client = await dial(port);
  const ending = within(15_000, readToEnd(client), () => "the connection goes on");
  client.write(text);
  const { how } = await ending;
  client.destroy();
  return how;
}
