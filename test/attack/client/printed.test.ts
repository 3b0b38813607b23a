import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { runCli } from "../../../cli/run.ts";
import { attack } from "../../fixtures/attack.ts";
import { runRdv } from "../../fixtures/rdv.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";
import { sessionAnswer, startLyingControl } from "./lying-control.ts";

const steering = [
  "\u001b[2J\u001b[H",
  "\u001b]52;c;ZXZpbA==\u0007",
  "\u009b2J",
  "\u009d0;t\u009c",
  "\r\nrdv: all is well",
  "\n    what   localhost:1\n",
  "\u202e",
  "\u2066",
  "\u200b\u2060",
  "\u2028x",
  "\u0085x",
  "\ud800",
  "\u007f\b\b",
];

const token = `rdv_own_${"x".repeat(43)}`;
const key = { id: `k_${"0".repeat(26)}`, account: "a_own", label: "laptop", scopes: ["sessions"] };
const relay = {
  id: "r_aaaaaaaa",
  region: "here",
  host: "192.0.2.1",
  sharedPort: 8_788,
  ports: { from: 1, to: 2 },
  tls: null,
  state: "up",
  leases: 0,
  load: null,
  version: "1.0.0",
  seenAt: null,
};
const details = {
  inviter: "ann",
  target: "localhost:22",
  service: "ssh",
  address: "192.0.2.1:20000",
  private: false,
  session: "help",
  allow: [],
  expires: "2099-01-01T00:00:00.000Z",
};
const session = sessionAnswer();
const invitation = {
  code: "00000-00000",
  url: "http://192.0.2.1/j/00000-00000",
  line: "curl http://192.0.2.1/j/00000-00000 | sh",
  powershell: "irm http://192.0.2.1/j/00000-00000/ps1 | iex",
  expires: "2099-01-01T00:00:00.000Z",
  session,
  raw: null,
};
const times = { createdAt: "2026-01-01T00:00:00.000Z", expiresAt: null };

/** Commands, and the honest answer in which one string after the other is replaced. */
const commands: readonly { readonly args: readonly string[]; readonly answer: unknown }[] = [
  { args: ["join", "CONTROL/j/00000-00000"], answer: details },
  { args: ["sessions", "ls"], answer: { sessions: [session] } },
  { args: ["sessions", "show", "desk"], answer: session },
  { args: ["relays"], answer: { relays: [relay] } },
  { args: ["keys", "ls"], answer: { keys: [{ ...key, ...times }] } },
  { args: ["keys", "create"], answer: { ...key, ...times, label: "", token } },
  { args: ["invite", "ssh"], answer: invitation },
  { args: ["login", "CONTROL"], answer: { account: "a_own", key: "root", scopes: ["admin"] } },
  { args: ["expose", "22"], answer: session },
  {
    args: ["connect", "desk", "--stdio"],
    answer: { type: "t", title: "t", status: 403, detail: "no", code: "forbidden" },
  },
  { args: ["ssh", "--config"], answer: { sessions: [session] } },
];

attack(
  {
    point: 7,
    title:
      "a control plane writes terminal sequences, line breaks and hidden characters into every string of its answers",
    from: import.meta.url,
    options: { timeout: 300_000 },
  },
  async () => {
    let answer: unknown;
    let status = 200;
    await using control = await startLyingControl(() => ({ status, body: answer }));
    await using folder = await createTempDir();
    const env = { RDV_CONTROL: control.url, RDV_TOKEN: token, RDV_STATE_DIR: folder.path };
    let tries = 0;
    for (const { args, answer: honest } of commands) {
      status = isProblem(honest) ? 403 : 200;
      const words = args.map((word) => word.replace("CONTROL", control.url));
      for (let at = 0; at < 2 * stringsIn(honest); at += 1) {
        const evil = steering[tries % steering.length] ?? "";
        answer = withEvil(honest, evil, Math.floor(at / 2));
        const json = at % 2 === 0 ? [] : ["--json"];
        assertInert(await said([...words.slice(0, 1), ...json, ...words.slice(1)], env), words, evil);
        tries += 1;
      }
      const finished = await runRdv(words, { stateDir: folder.path, env, input: "" });
      assertInert(finished.stdout + finished.stderr, words, "in a process of its own");
      tries += 1;
    }
    return { tries, answer: "refused by its shape, or shown with the hidden written out, on its own line" };
  },
);

attack(
  {
    point: 7,
    title: "a service greets rdv doctor with terminal sequences",
    from: import.meta.url,
    options: { timeout: 60_000 },
  },
  async () => {
    await using server = createServer((socket) => {
      socket.on("error", () => {});
      socket.end(steering.join(""));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo; // a TCP server that listens has an address object
    await using folder = await createTempDir();
    const args = ["doctor", "--target", String(port)];
    for (const json of [[], ["--json"]]) {
      const finished = await runRdv([...args, ...json], { stateDir: folder.path });
      for (const text of [finished.stdout, finished.stderr]) assertInert(text, args, "");
    }
    return { tries: 2, answer: "it is shown with the hidden written out" };
  },
);

function isProblem(answer: unknown): boolean {
  return typeof answer === "object" && answer !== null && "detail" in answer;
}

/** What a command line writes, run in this process: there are too many for one each. */
async function said(args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  let text = "";
  const write = (more: string): void => void (text += more);
  await runCli(args, {
    env,
    stdout: write,
    stderr: write,
    signal: AbortSignal.timeout(20_000),
    isTerminal: false,
    ask: async () => await Promise.resolve(undefined),
    readSecret: async () => await Promise.resolve(undefined),
    takeStdio: () => assert.fail("no connection is made"),
  });
  return text;
}

function stringsIn(answer: unknown): number {
  const places: (() => void)[] = [];
  collect(structuredClone(answer), "", places);
  return places.length;
}

/** The answer with one of its strings followed by what steers. */
function withEvil(answer: unknown, evil: string, at: number): unknown {
  const copy: unknown = structuredClone(answer);
  const places: (() => void)[] = [];
  collect(copy, evil, places);
  places[at]?.();
  return copy;
}

function collect(value: unknown, evil: string, places: (() => void)[]): void {
  if (typeof value !== "object" || value === null) return;
  const object = value as Record<string, unknown>; // arrays have their indices as names
  for (const [name, inner] of Object.entries(object)) {
    if (typeof inner === "string") places.push(() => void (object[name] = inner + evil));
    collect(inner, evil, places);
  }
}

function assertInert(text: string, args: readonly string[], evil: string): void {
  const context = `${args.join(" ")} with ${JSON.stringify(evil)} says ${JSON.stringify(text)}`;
  assert.doesNotMatch(text, /[^\P{C}\n]|[\u2028\u2029]/u, context);
  assert.doesNotMatch(text, /^(rdv: all is well|    what   localhost:1)$/m, context);
}
