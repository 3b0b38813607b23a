import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Problem } from "../../protocol/errors.ts";
import { describeAccess } from "./contract/access.ts";
import { describeAgents } from "./contract/agents.ts";
import { describeApiDocument } from "./contract/api-document.ts";
import { describeClientTickets } from "./contract/client-tickets.ts";
import { describeDirectOffers } from "./contract/direct-offers.ts";
import { describeFleet } from "./contract/fleet.ts";
import { describeHttp } from "./contract/http.ts";
import { describeInvitations } from "./contract/invitations.ts";
import { describeKeys } from "./contract/keys.ts";
import { describePolicies } from "./contract/policies.ts";
import { describePorts } from "./contract/ports.ts";
import { describePrivateSessions } from "./contract/private-sessions.ts";
import { describeRelayKeys } from "./contract/relay-keys.ts";
import { describeRelays } from "./contract/relays.ts";
import { createRig } from "./contract/rig.ts";
import { describeRoutes } from "./contract/routes.ts";
import { describeScopes } from "./contract/scopes.ts";
import { testSigningKeys } from "./contract/signing-keys.ts";
import { describeSessions } from "./contract/sessions.ts";
import type { ControlUnderTest, StartControl } from "./control-under-test.ts";
import { adminToken, createSecrets } from "./control-under-test.ts";

/** What every host of the control plane must do, over real HTTP and WebSockets. */
export function describeControlPlane(hostName: string, start: StartControl): void {
  describe(`control plane on ${hostName}`, { timeout: 600_000 }, () => {
    let control: ControlUnderTest;
    let bob = "";
    const rig = createRig(
      () => control,
      () => bob,
    );
    before(async () => {
      control = await start(await createSecrets());
      bob = (await rig.api().createKey({ account: "a_bob", scopes: ["sessions"] })).token;
    });
    after(async () => await control[Symbol.asyncDispose]());
    for (const describePart of [
      describeHttp,
      describeAccess,
      describeRoutes,
      describeKeys,
      describeScopes,
      describePolicies,
      describeApiDocument,
      describeRelays,
      describeRelayKeys,
      describeFleet,
      describePorts,
      describeAgents,
      describeSessions,
      describePrivateSessions,
      describeClientTickets,
      describeDirectOffers,
      describeInvitations,
    ])
      describePart(rig);
  });

  testSigningKeys(hostName, start);

  test(
    `on ${hostName} a control plane without secrets answers nothing but healthz`,
    { timeout: 600_000 },
    async () => {
      const { RDV_SIGNING_KEY, RDV_ADMIN_KEY_HASH } = await createSecrets();
      for (const secrets of [{}, { RDV_SIGNING_KEY }, { RDV_SIGNING_KEY: "{}", RDV_ADMIN_KEY_HASH }]) {
        await using control = await start(secrets);
        const headers = { authorization: `Bearer ${adminToken}` };
        assert.equal((await fetch(`${control.url()}/healthz`)).status, 200);
        for (const path of ["/v1/jwks", "/v1/sessions", "/v1/relays", "/v1/relays/r_00000001/link"]) {
          const response = await fetch(control.url() + path, { headers });
          assert.equal(response.status, 503, path);
          assert.equal(Problem.parse(await response.json()).code, "not_configured");
        }
      }
    },
  );
}
