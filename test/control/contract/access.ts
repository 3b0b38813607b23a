import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Problem } from "../../../protocol/errors.ts";
import { adminToken } from "../control-under-test.ts";
import { refusedUpgrade } from "../peers.ts";
import { refuses, target } from "./rig.ts";
import type { Rig } from "./rig.ts";

/** Who gets in, and that an account sees its own sessions alone. */
export function describeAccess(rig: Rig): void {
  describe("access", () => {
    for (const [what, authorization] of [
      ["no token", undefined],
      ["a wrong administrator token", "Bearer rdv_admin_wrongwrongwrongwrong"],
      ["a token of nobody", "Bearer rdv_nobody_0123456789abcdefghij"],
      ["something that is no token", "Bearer abc"],
      ["another scheme", `Basic ${adminToken}`],
    ] as const) {
      test(`${what} is unauthorized on every route`, async () => {
        const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
        const id = `s_${"a".repeat(26)}`;
        for (const [method, path] of [
          ["POST", "/v1/sessions"],
          ["GET", "/v1/sessions"],
          ["GET", `/v1/sessions/${id}`],
          ["DELETE", `/v1/sessions/${id}`],
          ["GET", "/v1/relays"],
          ["GET", `/v1/sessions/${id}/agent`],
          ["GET", "/v1/relays/r_00000000/link"],
        ] as const) {
          const response = await fetch(rig.url() + path, { method, headers });
          assert.equal(response.status, 401, `${method} ${path}`);
          assert.equal(Problem.parse(await response.json()).code, "unauthorized");
          assert.match(response.headers.get("www-authenticate") ?? "", /^Bearer/);
          assert.ok(response.headers.get("x-request-id"));
        }
        const token = authorization?.startsWith("Bearer ") ? authorization.slice(7) : undefined;
        assert.deepEqual(await refusedUpgrade(`${rig.url()}/v1/sessions/${id}/agent`, token), {
          status: 401,
          code: "unauthorized",
        });
        assert.deepEqual(await refusedUpgrade(`${rig.url()}/v1/relays/r_00000000/link`, token), {
          status: 401,
          code: "unauthorized",
        });
      });
    }

    test("another account finds nothing of a session, whatever it knows", async () => {
      await using relay = await rig.newRelay();
      const { id, create } = relay;
      const session = await create({ name: "secret" });
      const bob = rig.apiOf(rig.bobToken());
      assert.deepEqual(await bob.listSessions(), []);
      await refuses(bob.getSession(session.id), "not_found");
      await refuses(bob.getSession("secret"), "not_found");
      await refuses(bob.endSession(session.id), "not_found");
      await refuses(bob.endSession("secret"), "not_found");
      await refuses(bob.listRelays(), "forbidden");
      assert.deepEqual(await refusedUpgrade(`${rig.url()}/v1/sessions/${session.id}/agent`, rig.bobToken()), {
        status: 404,
        code: "not_found",
      });
      assert.deepEqual(await refusedUpgrade(`${rig.url()}/v1/relays/${id}/link`, rig.bobToken()), {
        status: 403,
        code: "forbidden",
      });
      const own = await bob.createSession({ target, region: session.placements[0]?.region, name: "secret" });
      assert.notEqual(own.id, session.id, "names belong to an account");
      await bob.endSession("secret");
      assert.equal((await rig.api().getSession("secret")).state, "waiting");
    });
  });
}
