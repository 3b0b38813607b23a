import assert from "node:assert/strict";
import { join } from "node:path";
import { createTrust } from "../../../agent/connect/trust.ts";
import { openKnownAgents } from "../../../cli/known-agents.ts";
import { createApi } from "../../../protocol/client.ts";
import type { Api } from "../../../protocol/client.ts";
import { attack } from "../../fixtures/attack.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";
import { placementAnswer, sessionAnswer, startLyingControl } from "./lying-control.ts";

const other = "s_bbbbbbbbbbbbbbbbbbbbbbbbbb";
const renamed = sessionAnswer({ id: other, name: "other" });
const tickets = { session: other, name: "other", agentKey: "B".repeat(43) };
const ticketed = { placements: [{ ...placementAnswer(), ticket: "a.b.c", ticketExpires: 4_000_000_000 }] };
const key = { id: `k_${"0".repeat(26)}`, account: "a_thief", label: "", scopes: ["sessions"] };
const times = { createdAt: "2026-01-01T00:00:00.000Z", expiresAt: null };
const relay = {
  id: "r_bbbbbbbb",
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
const invitation = {
  code: "00000-00000",
  url: "http://evil.example/j/00000-00001",
  line: "rm -rf /",
  powershell: "x",
  expires: times.createdAt,
  session: sessionAnswer({ target: "localhost:5900" }),
  raw: null,
};
const token = `rdv_own_${"x".repeat(43)}`;

/** What is asked, and the answer about something else. */
const lies: readonly (readonly [ask: (api: Api) => Promise<unknown>, answer: unknown])[] = [
  [async (api) => await api.getSession("desk"), renamed],
  [async (api) => await api.getSession("s_aaaaaaaaaaaaaaaaaaaaaaaaaa"), renamed],
  [async (api) => await api.updateSession("desk", { pairs: 1 }), renamed],
  [async (api) => await api.createSession({ name: "desk", target: "localhost:22" }), renamed],
  [async (api) => await api.createSession({ suggestedName: "desk", target: "localhost:22" }), renamed],
  [async (api) => await api.createSession({ name: "desk", target: "localhost:80" }), sessionAnswer()],
  [
    async (api) => await api.createSession({ name: "desk", target: "localhost:22", private: true }),
    sessionAnswer(),
  ],
  [async (api) => await api.requestTickets("desk"), { ...tickets, ...ticketed }],
  [async (api) => await api.requestTickets("s_aaaaaaaaaaaaaaaaaaaaaaaaaa"), { ...tickets, ...ticketed }],
  [async (api) => await api.whoAmI(), { account: "a_thief", key: "root", scopes: ["admin"] }],
  [
    async (api) => await api.createKey({ scopes: ["sessions"] }),
    { ...key, ...times, token: `rdv_thief_${"x".repeat(43)}` },
  ],
  [
    async (api) => await api.createKey({ scopes: ["sessions"] }),
    { ...key, ...times, account: "a_own", scopes: ["admin"], token },
  ],
  [async (api) => await api.listKeys(), { keys: [{ ...key, ...times }] }],
  [async (api) => await api.listKeys("a_team"), { keys: [{ ...key, ...times }] }],
  [async (api) => await api.drainRelay("r_aaaaaaaa"), { relay, others: 1 }],
  [async (api) => await api.createInvitation({ target: "localhost:22", inviter: "ann" }), invitation],
  [
    async (api) => await api.createInvitation({ target: "localhost:22", inviter: "ann" }),
    { ...invitation, session: sessionAnswer() },
  ],
];

attack(
  {
    point: 6,
    title:
      "a control plane answers every verb about another session, relay, key or invitation than the one asked for",
    from: import.meta.url,
  },
  async () => {
    let answer: unknown;
    await using control = await startLyingControl(() => ({ body: answer }));
    const api = createApi({ url: control.url, token });
    for (const [ask, lie] of lies) {
      answer = lie;
      await assert.rejects(ask(api), { code: "untrusted" }, JSON.stringify(lie));
    }
    return { tries: lies.length, answer: "the answer is not believed: `untrusted`" };
  },
);

attack(
  {
    point: 6,
    title:
      "a control plane gives a known session another name or writes its address differently, so that its agent's key seems new",
    from: import.meta.url,
  },
  async () => {
    await using folder = await createTempDir();
    const [known, now] = ["A".repeat(43), "B".repeat(43)];
    const trust = (control: string) =>
      createTrust({
        session: "desk",
        pinned: undefined,
        known: openKnownAgents(join(folder.path, "state"), control),
        onFirstSight: () => {},
      });
    trust("https://rdv.example.org").proven(known);
    const spellings = [
      "https://rdv.example.org",
      "https://rdv.example.org/",
      "HTTPS://RDV.example.org:443//",
    ];
    for (const control of spellings) {
      assert.throws(() => trust(control).expected({ ...tickets, agentKey: now }), { code: "untrusted" });
      assert.equal(trust(control).expected({ ...tickets, agentKey: known }), known);
    }
    return { tries: 2 * spellings.length, answer: "the key is looked up by what the user typed" };
  },
);

attack(
  {
    point: 6,
    title: "a list without end, and a name that leads to another path",
    from: import.meta.url,
  },
  async () => {
    let asked = 0;
    await using control = await startLyingControl(() => {
      asked += 1;
      return { body: { sessions: [], next: `s_${asked}` } };
    });
    const api = createApi({ url: control.url, token });
    await assert.rejects(api.listSessions(), { code: "failed" });
    for (const name of ["", ".", ".."]) await assert.rejects(api.endSession(name), { code: "usage" });
    return {
      tries: 4,
      answer: "a list has 200 pages at most; such names are refused before anything is sent",
    };
  },
);
