import type { Target } from "../../agent/target.ts";
import { createProxiedFetch } from "../../net/proxy/proxied-fetch.ts";
import type { Proxies } from "../../net/proxy/proxies.ts";
import { targetOf } from "../../net/proxy/url-target.ts";
import type { RelayCandidate } from "../../protocol/api.ts";
import { createApi } from "../../protocol/client.ts";
import { checkCertificate } from "./certificate.ts";
import { judgeClock } from "./clock.ts";
import { isLoopbackHost } from "../../protocol/plain-address.ts";
import { checkControl, judgePlainHttp } from "./control-plane.ts";
import type { Examiner } from "./examiner.ts";
import { skip } from "./finding.ts";
import { checkName } from "./names.ts";
import { ownTargets } from "./own-targets.ts";
import { checkNat } from "./nat.ts";
import { areProxied, checkProxy } from "./proxy.ts";
import type { RelayWay } from "./relay-way.ts";
import { checkRelay } from "./relay.ts";
import { findRelays } from "./relays.ts";
import { checkToken } from "./token.ts";

interface ControlDeps {
  readonly url: URL;
  readonly token: string | undefined;
  readonly stateDir: string;
  readonly proxies: Proxies;
  readonly examiner: Examiner;
}

/** Looks at the control plane and at the relays that it names; resolves to the services that this machine exposes. */
export async function examineControl(deps: ControlDeps): Promise<readonly Target[]> {
  const { url, token, stateDir, proxies, examiner } = deps;
  const { tell, during, signal } = examiner;
  if (!(await isReached(deps))) return [];
  const api = createApi({ url: url.href, token, signal, fetch: createProxiedFetch(proxies) });
  const valid = await during("token", async () => await checkToken(api, token, signal));
  tell(valid);
  if (valid.status === "fail" || valid.status === "skip") {
    tell(skip("relays", "the control plane names its relays to valid tokens alone"));
    return [];
  }
  const { finding, relays } = await during("relays", async () => await findRelays(api, signal));
  tell(finding);
  const way = { local: isLoopbackHost(url.hostname), proxies, proxied: areProxied(relays, proxies), signal };
  await examineRelays(relays, url, way, examiner);
  return await during("target", async () => await ownTargets(api, stateDir));
}

/** Whether there is a control plane to ask more of; tells what stands in the way, and what it shows of itself. */
async function isReached({ url, proxies, examiner }: ControlDeps): Promise<boolean> {
  const { tell, during, signal } = examiner;
  const { finding: way, proxy } = checkProxy(url, proxies);
  tell(way);
  if (way.status === "fail") {
    tell(skip("control", "the way out is not clear"));
    return false;
  }
  // A proxy looks up the control plane's name itself.
  const named = await during("names", async () => await checkName(proxy?.host ?? targetOf(url).host, signal));
  tell(named);
  if (named.status === "fail") {
    tell(skip("control", "its name leads nowhere"));
    return false;
  }
  tell(
    url.protocol === "https:"
      ? await during("certificate", async () => await checkCertificate(url, proxies, signal))
      : judgePlainHttp(url),
  );
  const asking = { url: url.href.replace(/\/+$/, ""), fetch: createProxiedFetch(proxies), proxy, signal };
  const { finding, skewSeconds } = await during("control", async () => await checkControl(asking));
  tell(finding);
  if (finding.status === "ok") tell(judgeClock(skewSeconds));
  return finding.status === "ok";
}

/** All at once, and each one's findings together; then what is between here and them. */
async function examineRelays(
  relays: readonly RelayCandidate[],
  url: URL,
  way: RelayWay,
  { tell, during, signal }: Examiner,
): Promise<void> {
  if (relays.length === 0) return;
  const reached: RelayCandidate[] = [];
  const look = async (relay: RelayCandidate): Promise<void> => {
    const findings = await checkRelay(relay, way);
    tell(...findings);
    if (findings.every(({ status }) => status !== "fail")) reached.push(relay);
  };
  // Settled, because one that ends early must not be an unhandled rejection while another one is waited for.
  const ends = await during("relay-connect", async () => Promise.allSettled(relays.map(look)));
  signal.throwIfAborted();
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  if (reached.length === 0) tell(skip("nat", "no relay is reached that could say how it sees this machine"));
  else tell(await during("nat", async () => await checkNat(reached, url, way)));
}
