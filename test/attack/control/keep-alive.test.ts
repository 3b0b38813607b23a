import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { WebSocket } from "ws";
import { createApi } from "../../../protocol/client.ts";
import { attack } from "../../fixtures/attack.ts";
import { claimPorts } from "../../fixtures/ports.ts";
import { startRdv } from "../../fixtures/rdv.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";
import { until } from "../../fixtures/within.ts";
import { holdConnections } from "./holder.ts";

/** Of `rdv up`; the control plane takes four fifths of them, 280. */
const descriptors = 350;
const prefix = ["sh", "-c", `ulimit -n ${descriptors}; exec "$@"`, "sh"];
const held = 400;
const options = { skip: process.platform === "linux" ? false : "only Linux has all of 127.0.0.0/8" };

for (const { title, everyMs } of [
  { title: "one address fills a control plane with keep-alive connections", everyMs: 1_000 },
  { title: "one address fills a control plane with connections that say nothing", everyMs: undefined },
])
  attack({ point: 9, title, from: import.meta.url, options }, async () => {
    await using up = await startSmallUp();
    using stranger = holdConnections(up.port, "127.0.0.9", { count: held, everyMs });
    await until(
      30_000,
      "its connections give way to its own",
      async () => stranger.lost() > 100 || undefined,
    );
    for (let i = 1; i <= 20; i += 1) assert.equal(await ask(up.port, `127.0.1.${i}`), 200);
    return { tries: held, answer: "who has most connections gives way to whoever comes" };
  });

attack(
  {
    point: 9,
    title: "one account opens WebSockets until a control plane has no room",
    from: import.meta.url,
    options,
  },
  async () => {
    await using up = await startSmallUp();
    const { token } = await up.api.createKey({ account: "a_greedy", scopes: ["sessions"] });
    const greedy = createApi({ url: up.control, token, fetch });
    const { session } = await greedy.createInvitation({
      target: "localhost:22",
      inviter: "x",
      private: true,
      allow: [],
    });
    await using sockets = new AsyncDisposableStack();
    const open = async (id: string, key: string, what: string): Promise<string> => {
      const ws = new WebSocket(`${up.control.replace("http", "ws")}/v1/sessions/${id}/${what}`, {
        headers: { authorization: `Bearer ${key}` },
      });
      sockets.defer(() => ws.terminate());
      ws.on("error", () => {});
      const answer = once(ws, "unexpected-response").then((seen) =>
        String((seen[1] as IncomingMessage).statusCode),
      );
      return await Promise.race([
        once(ws, "open").then(() => "open"),
        answer,
        once(ws, "close").then(() => "closed"),
      ]);
    };
    const answers = new Map<string, number>();
    for (let i = 0; i < held; i += 1) {
      const answer = await open(session.id, token, "watch");
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    }
    const opened = answers.get("open") ?? 0;
    assert.ok(opened > 150 && opened <= 224, `${opened} of 280 places`);
    assert.equal(answers.get("429"), held - opened, JSON.stringify([...answers]));
    const mine = await up.api.createSession({ target: "localhost:22", name: "mine", private: true });
    assert.equal(await open(mine.id, up.token, "agent"), "open");
    return { tries: held, answer: "an account has at most four fifths, and another one finds room" };
  },
);

async function startSmallUp() {
  await using held = new AsyncDisposableStack();
  const dir = held.use(await createTempDir());
  const ports = held.use(await claimPorts());
  const args = [
    "up",
    "--control-port",
    "0",
    "--relay-port",
    "0",
    "--ports",
    `${ports.port(0)}-${ports.port(9)}`,
  ];
  const up = held.use(startRdv(args, { stateDir: dir.path, prefix }));
  const { control = "", token = "" } = await up.event("ready");
  const stack = held.move();
  return {
    control,
    token,
    port: Number(new URL(control).port),
    api: createApi({ url: control, token, fetch }),
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}

/** Status of a request from an address that has no connection yet. */
async function ask(port: number, localAddress: string): Promise<number> {
  const asked = request({ port, host: "127.0.0.1", localAddress, path: "/healthz", agent: false });
  asked.end();
  const [response] = (await once(asked, "response")) as [IncomingMessage]; // what http.ClientRequest tells
  response.resume();
  await once(response, "end");
  return response.statusCode ?? 0;
}
