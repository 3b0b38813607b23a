import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createApi } from "../../../protocol/client.ts";
import { Problem } from "../../../protocol/errors.ts";
import { limits } from "../../../protocol/limits.ts";
import { adminToken } from "../control-under-test.ts";
import { refusedUpgrade } from "../peers.ts";
import { refuses } from "./rig.ts";
import type { Rig } from "./rig.ts";

/** Answers that need no session: public routes, malformed requests, routes that do not exist. */
export function describeHttp(rig: Rig): void {
  describe("HTTP", () => {
    test("healthz answers without token, and like every answer is private and has a request id", async () => {
      const response = await fetch(`${rig.url()}/healthz`);
      assert.equal(response.status, 200);
      assert.deepEqual(await response.json(), { status: "ok" });
      assert.equal(response.headers.get("cache-control"), "no-store");
      assert.equal(response.headers.get("x-content-type-options"), "nosniff");
      assert.match(response.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
    });

    test("the key set is public and holds no private part", async () => {
      const keys = await createApi({ url: rig.url() }).jwks();
      assert.deepEqual(keys, await (await fetch(`${rig.url()}/.well-known/jwks.json`)).json());
      assert.equal(keys.keys.length, 1);
      assert.equal(keys.keys[0]?.["d"], undefined);
      assert.equal(keys.keys[0]?.["kid"], "test");
    });

    for (const [what, body, detail] of [
      ["no body", "", /not JSON/],
      ["broken JSON", "{", /not JSON/],
      ["a list", "[]", /the body/],
      ["no target", "{}", /^target: /],
      ["a port that is text", '{"target":"x","port":"22"}', /^port: /],
      ["a port that does not exist", '{"target":"x","port":65536}', /^port: /],
      ["a name that is no label", '{"target":"x","name":"Not A Name"}', /^name: a name has 1 to 63/],
      ["a range that is none", '{"target":"x","allow":["10.0.0.0/8","10.0.0.0/33"]}', /^allow\.1: /],
      ["an unknown member", '{"target":"x","ports":1}', /ports/],
      ["a time that is over before it begins", '{"target":"x","ttlSeconds":0}', /^ttlSeconds: /],
    ] as const) {
      test(`a request with ${what} is refused and the answer says where the mistake is`, async () => {
        const response = await fetch(`${rig.url()}/v1/sessions`, {
          method: "POST",
          body,
          headers: { authorization: `Bearer ${adminToken}` },
        });
        assert.equal(response.status, 400);
        assert.equal(response.headers.get("content-type"), "application/problem+json");
        const problem = Problem.parse(await response.json());
        assert.equal(problem.code, "bad_request");
        assert.match(problem.detail, detail);
      });
    }

    test("a body that is too large is refused, whether it says so or not", async () => {
      const text = JSON.stringify({ target: "x".repeat(limits.bodyBytes) });
      const chunks = new ReadableStream({
        start: (controller) => {
          controller.enqueue(new TextEncoder().encode(text));
          controller.close();
        },
      });
      for (const body of [text, chunks]) {
        const response = await fetch(`${rig.url()}/v1/sessions`, {
          method: "POST",
          body,
          headers: { authorization: `Bearer ${adminToken}` },
          duplex: "half",
        });
        assert.equal(response.status, 413);
        assert.equal(Problem.parse(await response.json()).code, "too_large");
      }
    });

    test("routes that do not exist are problems too", async () => {
      for (const [method, path] of [
        ["GET", "/"],
        ["GET", "/v1/nothing"],
        ["PUT", "/v1/sessions"],
        ["POST", "/healthz"],
      ] as const) {
        const response = await fetch(rig.url() + path, {
          method,
          headers: { authorization: `Bearer ${adminToken}` },
        });
        assert.equal(response.status, 404, `${method} ${path}`);
        assert.equal(Problem.parse(await response.json()).code, "not_found");
        assert.ok(response.headers.get("x-request-id"));
      }
      await refuses(rig.api().getSession("../relays"), "not_found");
      assert.deepEqual(await refusedUpgrade(`${rig.url()}/v1/nothing`, adminToken), {
        status: 404,
        code: "not_found",
      });
      assert.deepEqual(await refusedUpgrade(`${rig.url()}/v1/sessions/s_short/agent`, adminToken), {
        status: 404,
        code: "not_found",
      });
      assert.deepEqual(await refusedUpgrade(`${rig.url()}/v1/relays/r_x/link`, adminToken), {
        status: 400,
        code: "bad_request",
      });
    });

    test("a plain request to a WebSocket's address is told to upgrade", async () => {
      await using relay = await rig.newRelay();
      const { id, create } = relay;
      const session = await create();
      for (const path of [`/v1/sessions/${session.id}/agent`, `/v1/relays/${id}/link`]) {
        const response = await fetch(rig.url() + path, {
          headers: { authorization: `Bearer ${adminToken}` },
        });
        assert.equal(response.status, 426);
        assert.equal(Problem.parse(await response.json()).code, "upgrade_required");
      }
    });
  });
}
