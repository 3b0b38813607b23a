import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { percentile } from "../../bench/statistics.ts";
import { Candidate } from "../../protocol/connect.ts";
import { createNetwork } from "../fixtures/network.ts";
import type { Machine, NatKind } from "../fixtures/network.ts";
import { runOk, startProcess } from "../fixtures/processes.ts";
import { requireTool } from "../fixtures/tools.ts";
import { openDirectScene } from "./direct-scene.ts";
import type { Connected } from "./direct-scene.ts";

// Measures direct connections in network namespaces, a JSON line each: node measure-direct.ts [TRIES], as root.

const [tries = "200"] = process.argv.slice(2);
const kinds: readonly NatKind[] = ["full-cone", "address-restricted", "port-restricted", "symmetric"];

function say(measured: unknown): void {
  process.stdout.write(`${JSON.stringify(measured)}\n`);
}

/** How often two machines meet, and how long that takes from the moment at which both know each other's addresses. */
async function measureMeetings(agentKind: NatKind, clientKind: NatKind, wanted: number): Promise<object> {
  await using held = new AsyncDisposableStack();
  const { internet } = held.use(await createNetwork());
  const places = [];
  for (const machine of [await internet.host(), await internet.host()])
    places.push(await startPlace(machine, held));
  const agent = startSide(await (await internet.nat(agentKind)).host(), held);
  const client = startSide(await (await internet.nat(clientKind)).host(), held);
  const asked: number[] = [];
  const opened: number[] = [];
  let count = 0;
  // What has failed ten times fails always, and each time costs seconds.
  while (count < wanted && (count < 10 || opened.length > 0)) {
    const [here, there] = await Promise.all([client({ open: places }), agent({ open: places })]);
    asked.push(here.ms);
    const [met] = await Promise.all([
      client({ meet: there.candidates, chooses: true }),
      agent({ meet: here.candidates, chooses: false }),
    ]);
    count += 1;
    if (met.outcome === "opened") opened.push(met.ms);
  }
  const base = { what: "meetings", agent: agentKind, client: clientKind, tries: count, met: opened.length };
  const ask = { askP50: percentile(asked, 50), askP99: percentile(asked, 99) };
  return opened.length === 0
    ? { ...base, ...ask }
    : { ...base, ...ask, openP50: percentile(opened, 50), openP99: percentile(opened, 99) };
}

interface Place {
  readonly host: string;
  readonly port: number;
  readonly tls: null;
}

/** Somebody who says how it is seen, as a relay does. */
async function startPlace(machine: Machine, held: AsyncDisposableStack): Promise<Place> {
  const program =
    "require('http').createServer(({ socket }, r) => r.end(JSON.stringify(" +
    "{ address: socket.remoteAddress, port: socket.remotePort }))).listen(80, '0.0.0.0', () => console.log('open'))";
  const running = held.use(startProcess(process.execPath, ["-e", program], machine));
  await running.says("open");
  return { host: machine.address, port: 80, tls: null };
}

const Answer = z.object({
  candidates: z.array(Candidate).default([]),
  outcome: z.string().optional(),
  ms: z.number(),
});
type Answer = z.infer<typeof Answer>;

function startSide(machine: Machine, held: AsyncDisposableStack): (order: unknown) => Promise<Answer> {
  const program = fileURLToPath(new URL("meeting-process.ts", import.meta.url));
  const running = held.use(startProcess(process.execPath, [program], { ...machine, keepInput: true }));
  const lines = createInterface({ input: running.stdout })[Symbol.asyncIterator]();
  return async (order) => {
    running.stdin.write(`${JSON.stringify(order)}\n`);
    const line = await lines.next();
    if (line.done) throw new Error(running.output().stderr);
    return Answer.parse(JSON.parse(line.value));
  };
}

/** From connect to the service's first byte, at the local port of `rdv connect`. */
async function measureFirstByte(path: "direct" | "relay", wanted: number): Promise<object> {
  await using scene = await openDirectScene();
  const agent = await (await scene.internet.nat()).host();
  const client = await (await scene.internet.nat()).host();
  await using exposed = await scene.expose(agent, "first-byte");
  await using connected = await scene.connect(
    client,
    exposed.address,
    "--direct",
    path === "direct" ? "auto" : "off",
  );
  const ms: number[] = [];
  while (ms.length < wanted) {
    const one = await firstByte(client, connected);
    const { path: taken } = await connected.rdv.event("paired");
    if (taken === path) ms.push(one);
    await delay(200); // time for the next connection to be made ready
  }
  return { what: "first byte", path, count: ms.length, p50: percentile(ms, 50), p99: percentile(ms, 99) };
}

async function firstByte(client: Machine, { local }: Connected): Promise<number> {
  const [host = "", port = ""] = local.split(":");
  const program =
    "const t = performance.now(), s = require('net').connect(process.argv[2], process.argv[1], () => s.write('flood 1\\n'));" +
    "s.once('data', () => { console.log(performance.now() - t); process.exit(); })";
  return Number(await runOk(process.execPath, ["-e", program, host, port], client));
}

type Way = "plain TCP" | "rdv --plain" | "rdv" | "rdv over the relay";

const iperfPort = 5_201;
const seconds = 5;

/** One stream to the agent's machine, whose NAT lets in whoever dials, so that plain TCP comes there, too. */
async function measureStream(way: Way): Promise<object> {
  await using held = new AsyncDisposableStack();
  const scene = held.use(await openDirectScene());
  const router = await scene.internet.nat("full-cone");
  const agent = await router.host();
  const client = await (await scene.internet.nat()).host();
  const server = held.use(
    startProcess(requireTool("iperf3"), ["-s", "-p", String(iperfPort), "--forceflush"], agent),
  );
  await server.says("Server listening");
  let [host, port] = [router.address, String(iperfPort)];
  if (way !== "plain TCP") {
    const plain = way === "rdv --plain" ? ["--plain"] : [];
    const direct = ["--direct", way === "rdv over the relay" ? "off" : "auto"];
    const exposed = held.use(await scene.exposePort(agent, iperfPort, ...plain));
    const connected = held.use(await scene.connect(client, exposed.address, ...plain, ...direct));
    await delay(2_000); // the first direct connections are made
    [host = "", port = ""] = connected.local.split(":");
  }
  const stream = async (...more: string[]): Promise<number> => {
    const args = ["-c", host, "-p", port, "-t", String(seconds), "--json", ...more];
    const report = Report.parse(JSON.parse(await runOk(requireTool("iperf3"), args, client)));
    return report.end.sum_received.bits_per_second / 1e9;
  };
  const up = await stream();
  const down = await stream("-R");
  const offered = await stream("-b", "1G");
  return { what: "stream", way, upGbit: up, downGbit: down, of1Gbit: offered };
}

const Report = z.object({ end: z.object({ sum_received: z.object({ bits_per_second: z.number() }) }) });

for (const agent of kinds)
  for (const client of kinds) say(await measureMeetings(agent, client, Number(tries)));
for (const path of ["direct", "relay"] as const) say(await measureFirstByte(path, 100));
for (const way of ["plain TCP", "rdv --plain", "rdv", "rdv over the relay"] as const)
  say(await measureStream(way));
