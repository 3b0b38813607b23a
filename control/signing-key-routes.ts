import { RdvError } from "../protocol/errors.ts";
import { RotatedSigningKey } from "../protocol/keys.ts";
import type { Route } from "./route.ts";
import { defineRoute } from "./route.ts";
import type { Services } from "./services.ts";

/** Changes the key that signs tickets, where the host keeps it. */
export function signingKeyRoutes({ rotateSigningKey }: Services): Route[] {
  return [
    defineRoute({
      method: "POST",
      path: "/v1/signing-keys",
      access: "fleet",
      summary:
        "Makes the next key that signs tickets; the one before stays good until its tickets have ended.",
      answers: { 201: RotatedSigningKey },
      handle: async () => {
        if (!rotateSigningKey)
          throw new RdvError(
            "unsupported",
            "This control plane gets its signing keys from its configuration: make one with deploy/make-secrets.ts --signing-key and set it as RDV_SIGNING_KEY_OTHER; docs/deploy.md has the steps",
          );
        return Response.json(rotateSigningKey() satisfies RotatedSigningKey, { status: 201 });
      },
    }),
  ];
}
