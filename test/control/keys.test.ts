import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createAccountObject } from "../../control/account-object.ts";
import type { Services } from "../../control/services.ts";
import { newRecord, viewOf } from "../../control/sessions.ts";
import { createAlarms } from "../../embedded/host/alarms.ts";
import type { Alarms } from "../../embedded/host/alarms.ts";
import { createControlHost } from "../../embedded/host/control-host.ts";
import { openDatabase } from "../../embedded/host/database.ts";
import { createObjectClass } from "../../embedded/host/objects.ts";
import { silentLog } from "../../net/log.ts";
import { createApi } from "../../protocol/client.ts";
import { limits } from "../../protocol/limits.ts";
import { createTempDir } from "../fixtures/temp-dir.ts";
import { until } from "../fixtures/within.ts";
import { adminToken, createSecrets, sha256 } from "./control-under-test.ts";

/** An account on a real database, beside session objects of which `failing` say how often each fails first. */
async function createAccount(failing: Map<string, number>) {
  const folder = await createTempDir();
  const database = openDatabase(join(folder.path, "objects.db"));
  const told: string[] = [];
  let ahead = 0;
  const now = (): number => Date.now() + ahead;
  const keyEnded = async (name: string, key: string): Promise<void> => {
    const left = failing.get(name) ?? 0;
    failing.set(name, left - 1);
    if (left > 0) throw new Error("away");
    told.push(`${name} ${key}`);
  };
  // An account uses nothing else of the services.
  const services = {
    now,
    env: {
      SESSIONS: {
        getByName: (name: string) => ({ keyEnded: async (key: string) => await keyEnded(name, key) }),
      },
    },
  } as unknown as Services;
  const accounts = createObjectClass({
    className: "ACCOUNTS",
    create: createAccountObject,
    begunBy: "all",
    services: () => services,
    database,
    alarms: () => alarms,
    adopt: () => assert.fail("accounts have no sockets"),
    log: silentLog,
  });
  const alarms: Alarms = createAlarms({
    database,
    log: silentLog,
    now,
    run: async () => await accounts.runAlarm("a_team"),
  });
  return {
    account: accounts.getByName("a_team"),
    told,
    /** Lets so much time pass, and runs the alarm as the platform would. */
    pass: async (ms: number) => {
      ahead += ms;
      await accounts.runAlarm("a_team");
    },
    [Symbol.asyncDispose]: async () => {
      await alarms[Symbol.asyncDispose]();
      await accounts.settled();
      database[Symbol.dispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const request = { scopes: ["sessions" as const] };
const hashOf = (i: number): string => sha256(`token ${i}`);
const idOf = (i: number): string => `k_${hashOf(i).slice(0, 26)}`;

/** A report of a session that was opened with these keys. */
function report(id: string, keys: string[]) {
  const placement = {
    relay: "r_00000001",
    region: "eu",
    host: "relay.test",
    sharedPort: 8788,
    clientPort: 20_000,
    tls: null,
  };
  const identity = {
    id,
    owner: "a_team",
    name: id.slice(-6),
    madeWith: keys[0] ?? "",
    placements: [placement],
  };
  const session = viewOf(newRecord(identity, { target: "localhost:22" }, Date.now()), null);
  return { session, revision: 1, keys };
}

test("what could not be told of a revoked key is told again, and only what was opened with it is told", async () => {
  const sessions = [1, 2, 3].map((i) => `s_${"a".repeat(25)}${i}`);
  const [one = "", two = "", three = ""] = sessions;
  await using fixture = await createAccount(new Map([[`a_team/${one}`, 2]]));
  const { account, told, pass } = fixture;
  for (const i of [1, 2]) await account.addKey({ account: "a_team", hash: hashOf(i), request });
  assert.equal(await account.report(report(one, [idOf(1)])), "kept");
  assert.equal(await account.report(report(two, [idOf(2), idOf(1)])), "kept");
  assert.equal(await account.report(report(three, [idOf(2)])), "kept");
  assert.equal(await account.revokeKey(idOf(1)), true);
  assert.equal(await account.revokeKey(idOf(1)), false);
  await until(
    5_000,
    "those that can be told are",
    () => told.includes(`a_team/${two} ${idOf(1)}`) || undefined,
  );
  await pass(10_000);
  await pass(10_000);
  assert.deepEqual(told.sort(), [`a_team/${one} ${idOf(1)}`, `a_team/${two} ${idOf(1)}`]);
  assert.equal(await account.report(report(one, [idOf(1)])), "key_ended", "what comes late is told as well");
});

test("a key is known by its whole hash until it expires, and what lives by it is told then", async () => {
  await using fixture = await createAccount(new Map());
  const { account, told, pass } = fixture;
  const hash = hashOf(1);
  await account.addKey({ account: "a_team", hash, request: { ...request, expiresInSeconds: 60 } });
  const session = `s_${"b".repeat(26)}`;
  await account.report(report(session, [idOf(1)]));
  assert.deepEqual((await account.checkKey(hash))?.scopes, ["sessions"]);
  const sameStart = hash.slice(0, 63) + (hash.endsWith("0") ? "1" : "0");
  assert.equal(await account.checkKey(sameStart), null);
  await pass(50_000);
  assert.deepEqual((await account.checkKey(hash))?.scopes, ["sessions"]);
  await pass(10_000);
  assert.equal(await account.checkKey(hash), null);
  assert.deepEqual(told, [`a_team/${session} ${idOf(1)}`]);
});

test("an account has no more than limits.keysPerAccount keys", async () => {
  await using fixture = await createAccount(new Map());
  const { account } = fixture;
  const add = async (i: number) => await account.addKey({ account: "a_team", hash: hashOf(i), request });
  for (let i = 0; i < limits.keysPerAccount; i += 1) assert.ok((await add(i)).ok);
  const refused = await add(limits.keysPerAccount);
  assert.ok(!refused.ok && refused.code === "quota");
  await account.revokeKey(idOf(0));
  assert.ok((await add(limits.keysPerAccount)).ok);
});

test("no token is on the disk, neither the operator's nor a made one", async () => {
  await using folder = await createTempDir();
  const env = await createSecrets();
  const options = { host: "127.0.0.1", port: 0, stateDir: folder.path, env, log: silentLog };
  let token: string;
  {
    await using control = await createControlHost(options);
    ({ token } = await createApi({ url: control.url, token: adminToken }).createKey({
      scopes: ["sessions"],
      label: "find me",
    }));
    await createApi({ url: control.url, token }).listSessions();
  }
  const files = await readdir(folder.path);
  const contents = Buffer.concat(
    await Promise.all(files.map(async (name) => await readFile(join(folder.path, name)))),
  );
  assert.ok(contents.includes("find me"), "the key is there");
  for (const secret of [token, token.slice("rdv_admin_".length), adminToken])
    assert.ok(!contents.includes(secret));
});
