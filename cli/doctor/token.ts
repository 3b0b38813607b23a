import type { Api } from "../../protocol/client.ts";
import type { RdvError } from "../../protocol/errors.ts";
import type { WhoAmI } from "../../protocol/keys.ts";
import { bounded } from "./bounded.ts";
import { fail, ok, skip, warn } from "./finding.ts";
import type { Finding } from "./finding.ts";
import { judged } from "./judged.ts";

/** Whether the control plane takes the token, and what it opens. */
export async function checkToken(
  api: Pick<Api, "whoAmI">,
  token: string | undefined,
  signal: AbortSignal,
): Promise<Finding> {
  if (!token) return skip("token", "no token: `rdv login URL` keeps one, or set RDV_TOKEN");
  return await judged(
    signal,
    async () => judge(await bounded(signal, async () => await api.whoAmI())),
    (error) => fail("token", error.message, adviceFor(error)),
  );
}

function judge({ account, key, scopes, names }: WhoAmI): Finding {
  const only = names === null ? "" : `, for ${names.join(", ")}`;
  const detail = `account ${account}, key ${key}, scopes ${scopes.join(", ")}${only}`;
  if (scopes.some((scope) => scope !== "relays")) return ok("token", detail);
  return warn(
    "token",
    detail,
    "it opens no sessions: ask for a key with the scope `expose`, `connect`, or `sessions` for both",
  );
}

function adviceFor({ code }: RdvError): string {
  if (code === "unauthorized")
    return "it is mistyped, revoked, expired, or of another control plane: `rdv login URL` keeps a new one";
  return "the control plane answers but cannot check the token: try again, then ask its operator";
}
