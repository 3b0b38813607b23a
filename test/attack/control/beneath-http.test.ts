import assert from "node:assert/strict";
import { join } from "node:path";
import { authenticate } from "../../../control/auth.ts";
import { createAccountObject } from "../../../control/account-object.ts";
import { createGuessObject } from "../../../control/guess-object.ts";
import { lookUp } from "../../../control/guesses.ts";
import { createInvitationObject } from "../../../control/invitation-object.ts";
import { createRateLimits } from "../../../control/rate-limit.ts";
import type { ControlEnv, Services } from "../../../control/services.ts";
import { openDatabase } from "../../../embedded/host/database.ts";
import { keepYoungHeapSmall } from "../../../embedded/host/young-heap.ts";
import { createObjectClass } from "../../../embedded/host/objects.ts";
import type { ObjectClassDeps } from "../../../embedded/host/objects.ts";
import { silentLog } from "../../../net/log.ts";
import { keepHeapSmall } from "../../../net/small-heap.ts";
import { RdvError } from "../../../protocol/errors.ts";
import { attack, triesNow } from "../../fixtures/attack.ts";
import { createTempDir } from "../../fixtures/temp-dir.ts";
import { sourceAddress } from "./flood.ts";

const tries = triesNow(1_000_000);
const sources = triesNow(100_000);

attack(
  {
    point: 5,
    title: "100,000 sources try a million tokens and codes, beneath HTTP, as fast as the machine takes them",
    from: import.meta.url,
  },
  async () => {
    // As `rdv up` does.
    keepYoungHeapSmall();
    keepHeapSmall();
    await using control = await createBareControl();
    const before = process.memoryUsage.rss();
    const answers = new Map<string, number>();
    for (let i = 0; i < tries; i += 1) {
      const address = sourceAddress(Math.floor(i / 2) % sources);
      const answer = i % 2 === 0 ? await control.tryToken(i, address) : await control.tryCode(i, address);
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    }
    const grown = (process.memoryUsage.rss() - before) / 2 ** 20;
    assert.ok(grown < 64, `${grown} MiB more`);
    assert.deepEqual([...answers.keys()].toSorted(), ["not_found", "too_many", "unauthorized"]);
    assert.ok((answers.get("too_many") ?? 0) > tries / 2);
    assert.equal(control.made("ACCOUNTS"), 1, "one account stands for all that do not exist");
    assert.equal(control.made("INVITATIONS"), 1);
    assert.equal(await control.tryCode(0, "192.0.2.7"), "not_found", "who was not wrong lately has a try");
    assert.equal(await control.tryToken(0, "192.0.2.7"), "unauthorized");
    return { tries, answer: "no object is made, wrong sources share a common rate, memory stays" };
  },
);

/** The limits, the objects and the database of a control plane, without its HTTP. */
async function createBareControl() {
  const folder = await createTempDir();
  const database = openDatabase(join(folder.path, "control.db"));
  const made = new Map<string, number>();
  function classOf<V extends object>(
    className: string,
    create: ObjectClassDeps<V>["create"],
    begunBy: ObjectClassDeps<V>["begunBy"],
  ) {
    return createObjectClass<V>({
      className,
      create: (ctx, all) => {
        made.set(className, (made.get(className) ?? 0) + 1);
        return create(ctx, all);
      },
      begunBy,
      services: () => services,
      database,
      // The alarms store counts, which nobody reads here.
      alarms: () => ({ set: () => {}, [Symbol.asyncDispose]: async () => {} }),
      adopt: () => assert.fail("no socket comes"),
      log: silentLog,
    });
  }
  // What is tried here goes to these classes and to no other.
  const env = {
    ACCOUNTS: classOf("ACCOUNTS", createAccountObject, ["reserve", "report", "addKey"]),
    INVITATIONS: classOf("INVITATIONS", createInvitationObject, ["create"]),
    GUESSES: classOf("GUESSES", createGuessObject, "all"),
  } as unknown as ControlEnv;
  const services = { env, now: Date.now } as Services;
  const rates = createRateLimits(Date.now);

  async function codeOf(task: () => Promise<unknown>): Promise<string> {
    try {
      return (await task()) === undefined ? "not_found" : "found";
    } catch (error) {
      if (error instanceof RdvError) return error.code;
      throw error;
    }
  }

  return {
    made: (className: string) => made.get(className) ?? 0,
    tryToken: async (i: number, address: string) =>
      await codeOf(async () => {
        const presented = {
          account: `a_x${i.toString(36)}`,
          hash: i.toString(16).padStart(64, "0"),
          isRoot: false,
        };
        const settle = rates.tryToken(presented, address);
        return await authenticate(env, presented).catch((error: unknown) => {
          settle("wrong");
          throw error;
        });
      }),
    tryCode: async (i: number, address: string) =>
      await codeOf(
        async () =>
          await lookUp(
            env,
            address,
            async () => (await env.INVITATIONS.getByName(`code ${i}`).view(null)) ?? undefined,
          ),
      ),
    [Symbol.asyncDispose]: async () => {
      database[Symbol.dispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}
