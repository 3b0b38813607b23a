import { networkInterfaces } from "node:os";
import type { Target } from "../../agent/target.ts";
import type { Proxies } from "../../net/proxy/proxies.ts";
import { RdvError } from "../../protocol/errors.ts";
import { descriptorLimit } from "../../relay-node/descriptors.ts";
import { findCredentials } from "../credentials.ts";
import { checkAddresses } from "./addresses.ts";
import { checkConfiguration } from "./configuration.ts";
import { checkDescriptors } from "./descriptors.ts";
import { examineControl } from "./examine-control.ts";
import type { Examiner } from "./examiner.ts";
import { fail, skip } from "./finding.ts";
import { checkPump } from "./pump.ts";
import { checkState } from "./state.ts";
import { checkTarget } from "./target.ts";

interface ExamineDeps {
  readonly given: { readonly control?: string | undefined; readonly token?: string | undefined };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stateDir: string;
  /** A service that is to be exposed; without it those that this machine exposes now. */
  readonly target: Target | undefined;
  readonly proxies: Proxies;
  readonly examiner: Examiner;
}

/** Makes every check there is, one after the other. Throws the reason of the examiner's signal, and nothing of what it finds. */
export async function examine({
  given,
  env,
  stateDir,
  target,
  proxies,
  examiner,
}: ExamineDeps): Promise<void> {
  const { control, token, configured } = readConfiguration({ ...given, stateDir }, env);
  examiner.tell(configured, checkState(stateDir), checkAddresses(networkInterfaces()));
  const url = configured.status === "ok" && control ? URL.parse(control.value) : null;
  if (!url)
    examiner.tell(skip("control", "no control plane is known, so it and its relays are not looked at"));
  const exposed = url ? await examineControl({ url, token: token?.value, stateDir, proxies, examiner }) : [];
  await examineTargets(target ? [target] : exposed, examiner);
  examiner.tell(
    checkDescriptors(descriptorLimit()),
    await examiner.during("pump", async () => await checkPump()),
  );
}

/** The credentials, and what is to be said of them; a file of them that cannot be used is one of the things to find. */
function readConfiguration(...sources: Parameters<typeof findCredentials>) {
  try {
    const { control, token } = findCredentials(...sources);
    return { control, token, configured: checkConfiguration(control, token) };
  } catch (error) {
    if (!(error instanceof RdvError)) throw error;
    const configured = fail(
      "configuration",
      error.message,
      "keep the control plane again with `rdv login URL`",
    );
    return { control: undefined, token: undefined, configured };
  }
}

async function examineTargets(targets: readonly Target[], { tell, during, signal }: Examiner): Promise<void> {
  if (targets.length === 0)
    tell(skip("target", "nothing is exposed here; --target looks at a service before it is"));
  for (const one of targets) tell(await during("target", async () => await checkTarget(one, signal)));
}
