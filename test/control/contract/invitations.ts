import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import type { CreatedInvitation, WatchSignal } from "../../../protocol/invitations.ts";
import { WatchSignal as WatchSignalSchema, newCode } from "../../../protocol/invitations.ts";
import { limits } from "../../../protocol/limits.ts";
import { createTicketVerifier } from "../../../protocol/tickets.ts";
import { adminToken } from "../control-under-test.ts";
import type { Peer } from "../peers.ts";
import { connectPeer, refusedUpgrade } from "../peers.ts";
import { clientHeaders, refuses, shows, target } from "./rig.ts";
import type { Rig } from "./rig.ts";

const machine = "machine-number-one";
const claim = { machine, host: "laptop", user: "bob", method: "test", hostkey: "" };
/** Formats in which somebody may ask, and what the answers are. */
const formats = { "text/html": "text/html", "application/json": "application/", "*/*": "text/" };

/** Inviting, joining, and what a code is worth. */
export function describeInvitations(rig: Rig): void {
  const invite = async (more: Partial<Parameters<ReturnType<Rig["api"]>["createInvitation"]>[0]> = {}) =>
    await rig.api().createInvitation({ target, service: "ssh", inviter: "Anna", ...more });
  const watch = async (invited: CreatedInvitation): Promise<Peer<WatchSignal>> =>
    await connectPeer(WatchSignalSchema, `${rig.url()}/v1/sessions/${invited.session.id}/watch`, adminToken);
  let sources = 0;
  /** Each comes from a source of its own, so that wrong codes of one test do not count in another. */
  const codeRequest = async (code: string, accept: string): Promise<Response> => {
    sources += 1;
    const headers = { accept, ...clientHeaders(`198.51.100.${sources % 256}`) };
    return await fetch(`${rig.url()}/j/${code}`, { headers });
  };

  describe("invitations", () => {
    test("an invitation is a session with a code, for the inviter's own address and one hour", async () => {
      await using relay = await rig.newRelay();
      const invited = await invite({ region: relay.region });
      assert.match(invited.code, /^[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}$/);
      assert.equal(invited.url, `${rig.url()}/j/${invited.code}`);
      assert.equal(invited.line, `curl -fsSL ${invited.url} | sh`);
      assert.equal(invited.powershell, `irm ${invited.url}/ps1 | iex`);
      const left = Date.parse(invited.expires) - Date.now();
      assert.ok(Math.abs(left - limits.invitationDefaultSeconds * 1_000) < 60_000, `${left} ms left`);
      const { state, policy, expiresAt } = await rig.api().getSession(invited.session.id);
      assert.equal(state, "waiting");
      assert.deepEqual(policy.allow, ["127.0.0.0/8", "::1"]);
      const apart = Date.parse(expiresAt ?? "") - Date.parse(invited.expires);
      assert.ok(Math.abs(apart) < 60_000, `session and invitation end ${apart} ms apart`);
    });

    test("the same address is a page, a script and a document, and no answer may be kept", async () => {
      await using relay = await rig.newRelay();
      const { url, code } = await invite({ region: relay.region });
      const page = await codeRequest(code, "text/html,*/*;q=0.8");
      assert.match(await page.text(), /<h1><bdi>Anna<\/bdi> asks to reach one service/);
      const script = await (await codeRequest(code, "*/*")).text();
      assert.match(script, /^#!\/bin\/sh\n/);
      assert.ok(script.includes(`url='${url}'`));
      const details = await rig.api().getInvitation(code);
      assert.deepEqual([details.inviter, details.target, details.service], ["Anna", target, "ssh"]);
      assert.equal(
        (await rig.api().getInvitation(code.toLowerCase().replace("-", ""))).session,
        details.session,
      );
      const powershell = await fetch(`${url}/ps1`);
      assert.match(await powershell.text(), /^# rdv, invitation .*\n& \{/);
      const agent = await fetch(`${url}/agent.py`);
      assert.equal(agent.headers.get("content-type"), "text/x-python; charset=utf-8");
      for (const response of [page, powershell, agent])
        assert.match(response.headers.get("cache-control") ?? "", /no-store/);
    });

    test("a code is exchanged for a ticket that can only wait for this session's clients, until its end", async () => {
      await using relay = await rig.newRelay();
      const invited = await invite({ region: relay.region, ttlSeconds: limits.ticketSeconds * 2 });
      const answer = await rig.api().claimInvitation(invited.code, claim);
      const jwks = await rig.api().jwks();
      const ticket = await createTicketVerifier(jwks, relay.id, Date.now)(answer.ticket);
      const [place] = invited.session.placements;
      assert.deepEqual([answer.relay, answer.port], [place?.host, place?.sharedPort]);
      assert.deepEqual(
        [ticket.kind, ticket.session, ticket.clientPort, ticket.epoch, ticket.invited],
        ["agent", invited.session.id, place?.clientPort, 1, true],
      );
      assert.equal(ticket.expires, answer.expires);
      assert.ok(Math.abs(ticket.expires - Date.parse(invited.expires) / 1_000) <= 1);
      await assert.rejects(createTicketVerifier(jwks, "r_someother", Date.now)(answer.ticket), {
        code: "wrong_relay",
      });
      assert.equal(
        (await refusedUpgrade(`${rig.url()}/v1/sessions/${invited.session.id}/agent`, answer.ticket)).status,
        401,
      );
    });

    test("an invitation that gets no raw port leaves neither a session nor its name behind", async () => {
      await using relay = await rig.newRelay({ ports: { from: 20_000, to: 20_000 } });
      const name = `${relay.region}-raw`;
      await refuses(invite({ region: relay.region, name, raw: { from: null } }), "full");
      await refuses(rig.api().getSession(name), "not_found");
      assert.equal((await invite({ region: relay.region, name })).session.name, name);
    });

    test("an invitation can be made to end sooner, and never later", async () => {
      await using relay = await rig.newRelay();
      const { session } = await invite({ region: relay.region, ttlSeconds: 600 });
      await refuses(rig.api().updateSession(session.id, { ttlSeconds: null }), "bad_request");
      await refuses(rig.api().updateSession(session.id, { ttlSeconds: 3_600 }), "bad_request");
      const shorter = await rig.api().updateSession(session.id, { ttlSeconds: 60, pairs: 1 });
      assert.ok(Date.parse(shorter.expiresAt ?? "") < Date.parse(session.expiresAt ?? "") - 500_000);
    });

    test("the machine that used a code may come again, and no other", async () => {
      await using relay = await rig.newRelay();
      const { code } = await invite({ region: relay.region });
      await rig.api().claimInvitation(code, claim);
      await refuses(
        rig.api().claimInvitation(code, { ...claim, machine: "machine-number-two" }),
        "name_taken",
      );
      const again = await rig.api().claimInvitation(code, claim);
      const jwks = await rig.api().jwks();
      const ticket = await createTicketVerifier(jwks, relay.id, Date.now)(again.ticket);
      assert.equal(ticket.epoch, 2, "the newest run of the machine rules");
      assert.equal((await codeRequest(code, "text/html")).status, 410);
    });

    test("of many machines that claim at once one wins", async () => {
      await using relay = await rig.newRelay();
      const { code } = await invite({ region: relay.region });
      const claims = Array.from(
        { length: 8 },
        async (_, i) => await rig.api().claimInvitation(code, { ...claim, machine: `machine-number-${i}` }),
      );
      const outcomes = await Promise.allSettled(claims);
      assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
    });

    test("the inviter hears who joined, whether they are there, and the end", async () => {
      await using relay = await rig.newRelay();
      const invited = await invite({ region: relay.region });
      await using inviter = await watch(invited);
      const form = new URLSearchParams({ machine, host: "laptop", user: "bob", method: "perl", hostkey: "" });
      const shell = await fetch(`${invited.url}/claim`, {
        method: "POST",
        body: form,
        headers: { accept: "text/plain" },
      });
      assert.match(
        await shell.text(),
        /^relay=relay\.test\nport=8788\ntls=[\w-]{0,43}\nticket=ey\S+\nexpires=\d+\npool=2\nleft=3\d{3}\n$/,
      );
      const joined = await inviter.next();
      assert.ok(joined.type === "joined");
      const { at: _at, ...by } = joined.by;
      assert.deepEqual(by, { host: "laptop", user: "bob", method: "perl", hostkey: "", ip: "127.0.0.1" });
      const presence = { type: "presence", session: invited.session.id, owner: "a_admin" };
      relay.link.send(JSON.stringify({ ...presence, present: true }));
      assert.deepEqual(await inviter.next(), { type: "presence", present: true });
      assert.equal((await rig.api().getSession(invited.session.id)).state, "live");
      relay.link.send(JSON.stringify({ ...presence, present: false }));
      assert.deepEqual(await inviter.next(), { type: "presence", present: false });
      await using late = await watch(invited);
      assert.equal((await late.next()).type, "joined", "who looks later sees the same");
      await rig.api().endSession(invited.session.id);
      assert.deepEqual(await inviter.next(), { type: "ended", reason: "its owner ended it" });
    });

    test("the end of an invitation reaches the relay, and its code opens nothing any more", async () => {
      await using relay = await rig.newRelay();
      const ended = await invite({ region: relay.region });
      const { expires } = await rig.api().claimInvitation(ended.code, claim);
      await rig.api().endSession(ended.session.id);
      assert.deepEqual(await relay.link.next(), {
        type: "end",
        ended: { session: ended.session.id, until: expires },
      });
      await refuses(rig.api().claimInvitation(ended.code, claim), "not_found");
      const short = await invite({ region: relay.region, ttlSeconds: 3 });
      await rig.api().claimInvitation(short.code, claim);
      await shows(async () => (await codeRequest(short.code, "*/*")).status === 404);
      const signal = await relay.link.next();
      assert.ok(
        signal.type === "end" && signal.ended.session === short.session.id,
        "time ends it without anybody",
      );
    });

    test("a wrong code, an ended one and something that is no code are answered alike", async () => {
      await using relay = await rig.newRelay();
      const { code, session } = await invite({ region: relay.region });
      await rig.api().endSession(session.id);
      for (const [accept, type] of Object.entries(formats)) {
        const answers = await Promise.all(
          [code, newCode((bytes) => crypto.getRandomValues(bytes)), "not-a-code"].map(async (each) => {
            const response = await codeRequest(each, accept);
            assert.equal(response.status, 404);
            assert.ok(response.headers.get("content-type")?.startsWith(type));
            return await response.text();
          }),
        );
        assert.equal(new Set(answers).size, 1, accept);
      }
    });

    test("a source that guesses has to wait, others and the holder of the code do not", async () => {
      await using relay = await rig.newRelay();
      const { url } = await invite({ region: relay.region });
      const from = (address: string): RequestInit => ({ headers: clientHeaders(address) });
      const counted = await guesses(rig);
      const statuses: number[] = [];
      for (let i = 0; i < limits.guessRate.burst + 2; i += 1) {
        const code = newCode((bytes) => crypto.getRandomValues(bytes));
        statuses.push((await fetch(`${rig.url()}/j/${code}`, from("2001:db8::1"))).status);
      }
      assert.deepEqual(statuses, [...Array.from({ length: limits.guessRate.burst }, () => 404), 429, 429]);
      assert.equal(
        (await fetch(url, from("2001:db8::2"))).status,
        429,
        "its neighbours in one /64 are the same source",
      );
      assert.equal((await fetch(url, from("2001:db8:1::1"))).status, 200);
      for (let i = 0; i < limits.guessRate.burst * 2; i += 1)
        assert.equal((await fetch(url, from("192.0.2.1"))).status, 200, "right codes cost nothing");
      const after = await guesses(rig);
      assert.deepEqual(
        [after.wrong - counted.wrong, after.refused - counted.refused],
        [limits.guessRate.burst, 3],
      );
    });

    test("an invitation's name is its own, and a claim must be well formed", async () => {
      await using relay = await rig.newRelay();
      const name = `help-${randomUUID()}`;
      const { code } = await invite({ region: relay.region, name });
      await refuses(invite({ region: relay.region, name }), "name_taken");
      await refuses(relay.create({ name }), "name_taken");
      await refuses(rig.api().claimInvitation(code, { ...claim, machine: "short" }), "bad_request");
      await refuses(rig.api().claimInvitation(code, { ...claim, user: "$(reboot)" }), "bad_request");
      await refuses(invite({ target: "localhost:22; reboot" }), "bad_request");
      await refuses(invite({ ttlSeconds: limits.invitationSeconds + 1 }), "bad_request");
    });

    test("a raw port has a lease of its own, its relay is told again when it is back, and it ends with the session", async () => {
      await using relay = await rig.newRelay();
      const plain = await invite({ region: relay.region });
      assert.equal(plain.raw, null);
      const { raw, session } = await invite({ region: relay.region, raw: { from: "192.0.2.0/24" } });
      const [place] = session.placements;
      assert.ok(raw !== null && place);
      const port = Number(raw.split(":").at(-1));
      assert.equal(raw, `${place.host}:${port}`);
      const others = [place.clientPort, plain.session.placements[0]?.clientPort];
      assert.ok(!others.includes(port), "nobody else has that port");
      const signal = await relay.link.next();
      assert.ok(signal.type === "raw");
      const ticket = await createTicketVerifier(await rig.api().jwks(), relay.id, Date.now)(signal.ticket);
      assert.deepEqual(ticket.raw, { port, from: "192.0.2.0/24" });
      await refuses(invite({ raw: { from: null }, ttlSeconds: limits.rawSeconds + 1 }), "bad_request");
      await rig.api().endSession(session.id);
      const until = Math.ceil(Date.parse(session.expiresAt ?? "") / 1_000);
      assert.deepEqual(await relay.link.next(), { type: "end", ended: { session: session.id, until } });
    });

    test("an invited machine that ends encryption says its key, which is the session's until the next one comes", async () => {
      await using relay = await rig.newRelay();
      const invited = await invite({ region: relay.region });
      await using inviter = await watch(invited);
      const fingerprint = "f".repeat(43);
      await rig.api().claimInvitation(invited.code, { ...claim, fingerprint });
      const joined = await inviter.next();
      assert.ok(joined.type === "joined");
      assert.equal(joined.by.fingerprint, fingerprint);
      assert.equal((await rig.api().getSession(invited.session.id)).agentKey, fingerprint);
      assert.equal((await rig.api().requestTickets(invited.session.id)).agentKey, fingerprint);
      await rig.api().claimInvitation(invited.code, claim);
      assert.equal((await rig.api().getSession(invited.session.id)).agentKey, null);
      await refuses(
        rig.api().claimInvitation(invited.code, { ...claim, fingerprint: "short" }),
        "bad_request",
      );
    });

    test("a private invitation has no port, and takes nobody who cannot end the encryption", async () => {
      await using relay = await rig.newRelay();
      const invited = await invite({ region: relay.region, private: true });
      const { code, url, session } = invited;
      assert.deepEqual([invited.line, invited.powershell], [`rdv join ${url}`, `rdv join ${url}`]);
      assert.deepEqual([session.private, session.address], [true, session.name]);
      const details = await rig.api().getInvitation(code);
      assert.deepEqual([details.private, details.address], [true, session.name]);
      assert.match(
        await (await codeRequest(code, "*/*")).text(),
        /^#!\/bin\/sh\n# rdv, a private invitation/,
      );
      assert.match(await (await fetch(`${url}/ps1`)).text(), /^# rdv, a private invitation/);
      const page = await (await codeRequest(code, "text/html")).text();
      assert.ok(page.includes("rdv join") && !page.includes("| sh"));
      await refuses(rig.api().claimInvitation(code, claim), "bad_request");
      const fingerprint = "f".repeat(43);
      const answer = await rig.api().claimInvitation(code, { ...claim, fingerprint });
      const verify = createTicketVerifier(await rig.api().jwks(), relay.id, Date.now);
      const ticket = await verify(answer.ticket);
      assert.deepEqual([ticket.clientPort, ticket.invited], [null, true]);
      const { placements } = await rig.api().requestTickets(session.name);
      const client = await verify(placements[0]?.ticket ?? "");
      assert.deepEqual([client.kind, client.invited], ["client", undefined]);
      assert.ok(client.expires <= ticket.expires && client.expires - Date.now() / 1_000 > 3_000);
      await refuses(invite({ private: true, raw: { from: null } }), "bad_request");
    });

    test("another account cannot watch, and a session without invitation has nothing to watch", async () => {
      await using relay = await rig.newRelay();
      const invited = await invite({ region: relay.region });
      const plain = await relay.create();
      const path = (id: string): string => `${rig.url()}/v1/sessions/${id}/watch`;
      assert.equal((await refusedUpgrade(path(invited.session.id), rig.bobToken())).code, "not_found");
      assert.equal((await refusedUpgrade(path(plain.id), adminToken)).code, "not_found");
    });
  });
}

async function guesses(rig: Rig): Promise<{ wrong: number; refused: number }> {
  const response = await fetch(`${rig.url()}/metrics`, {
    headers: { authorization: `Bearer ${adminToken}` },
  });
  const text = await response.text();
  const count = (outcome: string): number =>
    Number(new RegExp(`^rdv_control_guesses_total\\{outcome="${outcome}"\\} (\\d+)$`, "m").exec(text)?.[1]);
  return { wrong: count("wrong"), refused: count("refused") };
}
