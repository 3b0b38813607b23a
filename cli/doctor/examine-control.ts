import type { Target } from "../../agent/target.ts";
import type { RelayCandidate } from "../../protocol/api.ts";
import { createApi } from "../../protocol/client.ts";
import { checkCertificate } from "./certificate.ts";
import { judgeClock } from "./clock.ts";
import { checkControl, isLoopbackName, judgePlainHttp } from "./control-plane.ts";
import type { Examiner } from "./examiner.ts";
import { skip } from "./finding.ts";
import type { Finding } from "./finding.ts";
import { checkName } from "./names.ts";
import { ownTargets } from "./own-targets.ts";
import { checkRelay } from "./relay.ts";
import { findRelays } from "./relays.ts";
import { checkToken } from "./token.ts";

interface ControlDeps {
  readonly url: URL;
  readonly token: string | undefined;
  readonly stateDir: string;
  readonly examiner: Examiner;
}

/** Looks at the control plane and at the relays that it names; resolves to the services that this machine exposes. */
export async function examineControl(deps: ControlDeps): Promise<readonly Target[]> {
  const { url, token, stateDir, examiner } = deps;
  const { tell, during, signal } = examiner;
  if (!(await isReached(url, examiner))) return [];
  const api = createApi({ url: url.href, token, signal });
  const valid = await during("token", async () => await checkToken(api, token, signal));
  tell(valid);
  if (valid.status === "fail" || valid.status === "skip") {
    tell(skip("relays", "the control plane names its relays to valid tokens alone"));
    return [];
  }
  const { finding, relays } = await during("relays", async () => await findRelays(api, signal));
  tell(finding);
  await examineRelays(relays, isLoopbackName(url.hostname), examiner);
  return await during("target", async () => await ownTargets(api, stateDir));
}

/** Whether there is a control plane to ask more of; tells what stands in the way, and what it shows of itself. */
async function isReached(url: URL, { tell, during, signal }: Examiner): Promise<boolean> {
  const named = await during("names", async () => await checkName(bareHost(url), signal));
  tell(named);
  if (named.status === "fail") {
    tell(skip("control", "its name leads nowhere"));
    return false;
  }
  const secure = url.protocol === "https:";
  tell(
    secure
      ? await during("certificate", async () => await checkCertificate(url, signal))
      : judgePlainHttp(url),
  );
  const base = url.href.replace(/\/+$/, "");
  const { finding, skewSeconds } = await during(
    "control",
    async () => await checkControl({ url: base, fetch, signal }),
  );
  tell(finding);
  if (finding.status === "ok") tell(judgeClock(skewSeconds));
  return finding.status === "ok";
}

/** All at once, and each one's findings together, in the order in which the control plane names them. */
async function examineRelays(
  relays: readonly RelayCandidate[],
  local: boolean,
  { tell, during, signal }: Examiner,
): Promise<void> {
  const underWay = relays.map(
    async (relay): Promise<Finding[]> => await checkRelay(relay, { local, signal }),
  );
  // One that ends early must not be an unhandled rejection while another one is waited for.
  await Promise.allSettled(
    underWay.map(async (one) => tell(...(await during("relay-connect", async () => await one)))),
  );
  signal.throwIfAborted();
}

function bareHost(url: URL): string {
  return url.hostname.replaceAll(/^\[|\]$/g, "");
}
