import { fileURLToPath } from "node:url";
import { createTestHarness } from "wrangler";
import type { Namespace } from "../../control/platform.ts";
import { describeControlPlane } from "./contract.ts";
import { sha256 } from "./control-under-test.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

describeControlPlane("workerd", async (secrets) => {
  const harness = createTestHarness({
    root,
    workers: [{ configPath: "wrangler.toml", secrets: { ...secrets } }],
  });
  let { url } = await harness.listen();
  return {
    url: () => url.origin,
    restart: async () => {
      await harness.update((options) => options);
      ({ url } = await harness.listen());
    },
    addKey: async (account, token) => {
      const env = await harness.getWorker<{ ACCOUNTS: unknown }>().getEnv();
      // The binding of wrangler.toml, as control/services.ts describes it.
      const accounts = env.ACCOUNTS as Namespace<{ addKey: (hash: string) => void }>;
      await accounts.getByName(account).addKey(sha256(token));
    },
    [Symbol.asyncDispose]: async () => await harness.close(),
  };
});
