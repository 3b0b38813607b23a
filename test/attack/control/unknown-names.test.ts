import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createControlHost } from "../../../embedded/host/control-host.ts";
import { silentLog } from "../../../net/log.ts";
import { createApi } from "../../../protocol/client.ts";
import { adminToken, createSecrets } from "../../control/control-under-test.ts";
import { attack } from "../../fixtures/attack.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";
import { sendPipelined } from "./pipelined.ts";

const tries = 5_000;
const letters = "abcdefghijklmnopqrstuvwxyz234567";

attack(
  {
    point: 5,
    title: "somebody with a key asks for sessions, regions, keys and relays that do not exist",
    from: import.meta.url,
  },
  async () => {
    await using dir = await createTempDir();
    const env = await createSecrets();
    await using host = await createControlHost({
      host: "127.0.0.1",
      port: 0,
      stateDir: dir.path,
      env,
      log: silentLog,
    });
    const api = createApi({ url: host.url, token: adminToken, fetch });
    const { token } = await api.createKey({ account: "a_curious", scopes: ["sessions"] });
    // The operator's key has no rate: it is the worst that a key can do.
    const before = liveMiB();
    const counts = await sendPipelined(host.port, requests(adminToken));
    assert.deepEqual(new Set(counts.keys()), new Set([200, 404, 503]));
    const grown = liveMiB() - before;
    assert.ok(grown < 16, `${grown} MiB more are alive`);
    const limited = await sendPipelined(host.port, requests(token));
    assert.ok((limited.get(429) ?? 0) > tries / 4, "other accounts have a rate");
    assert.deepEqual(await api.listSessions(), []);
    return { tries: 2 * tries, answer: "one object of each class stands for all that do not exist" };
  },
);

/** What is alive on the heap, after all garbage was collected. */
function liveMiB(): number {
  setFlagsFromString("--expose-gc");
  // A function of V8's own, which new contexts have under this flag.
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

function* requests(token: string): Generator<string> {
  for (let i = 0; i < tries; i += 1) yield request(token, i);
}

function request(token: string, i: number): string {
  const name = Array.from({ length: 26 }, (_, at) => letters[(i >> (at * 5)) & 31]).join("");
  const head = `Host: localhost\r\nAuthorization: Bearer ${token}\r\n`;
  switch (i % 5) {
    case 0:
      return `GET /v1/sessions/s_${name} HTTP/1.1\r\n${head}\r\n`;
    case 1:
      return `DELETE /v1/sessions/s_${name} HTTP/1.1\r\n${head}\r\n`;
    case 2:
      return `GET /v1/keys?account=a_${name} HTTP/1.1\r\n${head}\r\n`;
    case 3:
      return `POST /v1/relays/r_${name}/drain HTTP/1.1\r\n${head}Content-Length: 0\r\n\r\n`;
    default: {
      const body = JSON.stringify({ target: "localhost:22", name: "x", region: name });
      return `POST /v1/sessions HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    }
  }
}
