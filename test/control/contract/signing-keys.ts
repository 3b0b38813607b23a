import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeProtectedHeader } from "jose";
import { newSigningKey } from "../../../embedded/secrets.ts";
import { createTicketVerifier, publicJwk } from "../../../protocol/tickets.ts";
import type { ControlUnderTest, StartControl } from "../control-under-test.ts";
import { createSecrets } from "../control-under-test.ts";
import { createRig, refuses } from "./rig.ts";

/** A rotation by configuration: two keys are published, one signs, and the two are swapped. */
export function testSigningKeys(hostName: string, start: StartControl): void {
  test(
    `on ${hostName} two signing keys are published, and tickets of both verify`,
    { timeout: 600_000 },
    async () => {
      const secrets = await createSecrets();
      const [one, other] = [newSigningKey(), newSigningKey()];
      const tickets: string[] = [];
      for (const [signing, published] of [
        [one, other],
        [other, one],
      ] as const) {
        await using control = await start({
          ...secrets,
          RDV_SIGNING_KEY: JSON.stringify(signing),
          RDV_SIGNING_KEY_OTHER: JSON.stringify(publicJwk(published)),
        });
        tickets.push(await checkKeys(control, [signing.kid, published.kid], tickets));
      }
      assert.equal(tickets.length, 2);
    },
  );
}

/** A ticket of this control plane, which publishes these keys and verifies the tickets of the one before. */
async function checkKeys(
  control: ControlUnderTest,
  kids: readonly string[],
  older: readonly string[],
): Promise<string> {
  const rig = createRig(() => control);
  const jwks = await rig.api().jwks();
  assert.deepEqual(
    jwks.keys.map(({ kid }) => kid),
    kids,
  );
  assert.ok(
    jwks.keys.every((key) => !("d" in key)),
    "the private part is published",
  );
  await using relay = await rig.newRelay();
  const session = await relay.create();
  const { placements } = await rig.api().requestTickets(session.id);
  const ticket = placements[0]?.ticket ?? "";
  assert.equal(decodeProtectedHeader(ticket).kid, kids[0]);
  const verify = createTicketVerifier(jwks, relay.id, Date.now);
  for (const one of [ticket, ...older]) assert.equal((await verify(one)).relay, relay.id);
  await refuses(rig.api().rotateSigningKey(), "unsupported");
  return ticket;
}
