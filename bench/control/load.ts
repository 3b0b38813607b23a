import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import { createApi } from "../../protocol/client.ts";
import { pingText } from "../../protocol/signals.ts";

// The load of bench/control-host.ts: one relay's link, AGENTS sessions with their agents, then requests.
const [url = "", token = "", agents = "0"] = process.argv.slice(2);
const atOnce = 50;
const measureMs = 5_000;
const connections = 64;

const api = createApi({ url, token });
const relay = await open(`${url}/v1/relays/r_benchbench/link`);
const ports = { from: 20_000, to: 40_000 };
relay.send(
  JSON.stringify({
    type: "hello",
    region: "bench",
    host: "127.0.0.1",
    sharedPort: 8_788,
    ports,
    version: "1",
  }),
);
await once(relay, "message");

const start = performance.now();
const sockets: WebSocket[] = [];
for (let first = 0; first < Number(agents); first += atOnce)
  await Promise.all(
    Array.from({ length: Math.min(atOnce, Number(agents) - first) }, async (_, index) => {
      const session = await api.createSession({ target: "bench", name: `agent-${first + index}` });
      sockets.push(await open(`${url}/v1/sessions/${session.id}/agent`));
    }),
  );
const seconds = (performance.now() - start) / 1_000;
// A heartbeat of everybody, and time for the garbage of the beginning to go.
for (const socket of sockets) socket.send(pingText);
await delay(20_000);
say({ seconds });
const bearer = `Authorization: Bearer ${token}\r\n`;
say({
  "/healthz": await rate("/healthz", ""),
  "/v1/jwks": await rate("/v1/jwks", ""),
  "/v1/sessions/agent-7": await rate("/v1/sessions/agent-7", bearer),
});
await delay(3_600_000);

async function open(address: string): Promise<WebSocket> {
  const socket = new WebSocket(address.replace("http", "ws"), {
    headers: { authorization: `Bearer ${token}` },
    perMessageDeflate: false,
  });
  await once(socket, "open");
  return socket;
}

/** Answers a second, over connections that each have one request under way. */
async function rate(path: string, headers: string): Promise<number> {
  const request = `GET ${path} HTTP/1.1\r\nHost: bench\r\n${headers}\r\n`;
  let answers = 0;
  const { hostname, port } = new URL(url);
  const clients = Array.from({ length: connections }, (): Socket => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    socket.on("data", (data) => {
      if (!data.includes("HTTP/1.1 200")) return;
      answers += 1;
      socket.write(request);
    });
    socket.write(request);
    return socket;
  });
  await delay(1_000);
  const before = answers;
  const at = performance.now();
  await delay(measureMs);
  const perSecond = ((answers - before) * 1_000) / (performance.now() - at);
  for (const client of clients) client.destroy();
  return Math.round(perSecond);
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
