import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { createApi } from "../../../protocol/client.ts";
import { newCode } from "../../../protocol/invitations.ts";
import { attack, triesNow } from "../../fixtures/attack.ts";
import { claimPorts } from "../../fixtures/ports.ts";
import { startRdv } from "../../fixtures/rdv.ts";
import { startEcho } from "../../fixtures/services.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";
import { sourceAddress } from "./flood.ts";
import { sendPipelined } from "./pipelined.ts";

const tries = triesNow(100_000);
/** Ordinary requests before the memory is looked at: a process that has just started has loaded and compiled little. */
const ordinary = 10_000;
const connections = 8;
const skip = process.platform === "linux" ? false : "reads the memory of a process from /proc";

attack(
  {
    point: 5,
    title: "100,000 sources send a wrong token or code each to a control plane with a heap of 256 MB",
    from: import.meta.url,
    options: { skip },
  },
  async () => {
    await using dir = await createTempDir();
    await using ports = await claimPorts();
    await using service = await startEcho();
    const range = `${ports.port(0)}-${ports.port(9)}`;
    // The test is the proxy that says who comes.
    const proxy = ["--trust-proxy", "127.0.0.1"];
    const args = ["up", "--control-port", "0", "--relay-port", "0", "--ports", range, ...proxy];
    const env = { NODE_OPTIONS: "--max-old-space-size=256" };
    await using up = startRdv(args, { stateDir: dir.path, env });
    const { control = "", token = "" } = await up.event("ready");
    const api = createApi({ url: control, token, fetch });
    await using agent = startRdv(
      ["expose", String(service.port), "--name", "kept", "--control", control, "--token", token],
      {
        stateDir: join(dir.path, "agent"),
      },
    );
    const { address = "" } = await agent.event("ready");
    const living = connect(Number(address.split(":")[1]), "127.0.0.1");
    await echoes(living);
    const late = await api.createKey({ account: "a_late", scopes: ["sessions"] });

    const port = Number(new URL(control).port);
    await flood(port, () => ordinaryRequests(token));
    const before = await memoryMiB(up.pid);
    const counts = await flood(port, requests);
    const grown = (await memoryMiB(up.pid)) - before;
    assert.deepEqual(new Set(counts.keys()), new Set([401, 404]), "each source has its first try");
    const answered = [...counts.values()].reduce((sum, count) => sum + count);
    assert.equal(answered, tries);
    assert.ok(grown < 64, `${grown} MiB more`);
    await echoes(living);
    const whoami = await fetch(`${control}/v1/whoami`, {
      headers: { authorization: `Bearer ${late.token}`, "x-forwarded-for": "192.0.2.1" },
    });
    assert.equal(whoami.status, 200);
    const { epoch, state } = await api.getSession("kept");
    assert.deepEqual({ epoch, state }, { epoch: 1, state: "live" });
    living.destroy();
    return { tries, answer: "no object is made; memory, session and connection stay" };
  },
);

/** Sends what `connections` generators give at once, and counts the answers by status. */
async function flood(
  port: number,
  requestsOf: (n: number) => Generator<string>,
): Promise<Map<number, number>> {
  const shares = await Promise.all(
    Array.from({ length: connections }, async (_, n) => await sendPipelined(port, requestsOf(n))),
  );
  const counts = new Map<number, number>();
  for (const share of shares)
    for (const [status, count] of share) counts.set(status, (counts.get(status) ?? 0) + count);
  return counts;
}

function* ordinaryRequests(token: string): Generator<string> {
  for (let i = 0; i < ordinary / connections; i += 1)
    yield `GET /v1/sessions/kept HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`;
}

/** Every `connections`-th of the tries, from the `n`-th on: wrong tokens and wrong codes by turns. */
function* requests(n: number): Generator<string> {
  for (let i = n; i < tries; i += connections) {
    const from = sourceAddress(i);
    yield i % 2 === 0 ? wrongToken(from, i) : wrongCode(from);
  }
}

function wrongToken(from: string, i: number): string {
  return `GET /v1/whoami HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ${from}\r\nAuthorization: Bearer rdv_x${i.toString(36)}_0123456789abcdef\r\n\r\n`;
}

function wrongCode(from: string): string {
  const code = newCode((bytes) => crypto.getRandomValues(bytes));
  return `GET /j/${code} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ${from}\r\nAccept: application/json\r\n\r\n`;
}

async function echoes(socket: ReturnType<typeof connect>): Promise<void> {
  socket.write("hello");
  const [data] = await once(socket, "data", { signal: AbortSignal.timeout(30_000) });
  assert.equal(String(data), "hello");
}

async function memoryMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1_024;
}
