import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createControlHost } from "../../embedded/host/control-host.ts";
import { openDatabase } from "../../embedded/host/database.ts";
import { silentLog } from "../../net/log.ts";
import { describeControlPlane } from "./contract.ts";
import { sha256 } from "./control-under-test.ts";

describeControlPlane("Node", async (env) => {
  const stateDir = await mkdtemp(join(tmpdir(), "rdv-control-"));
  const start = async () =>
    await createControlHost({ host: "127.0.0.1", port: 0, stateDir, env, log: silentLog });
  let host = await start();
  return {
    url: () => host.url,
    restart: async () => {
      await host[Symbol.asyncDispose]();
      host = await start();
    },
    addKey: async (account, token) => {
      await host[Symbol.asyncDispose]();
      storeKey(join(stateDir, "control.db"), account, token);
      host = await start();
    },
    [Symbol.asyncDispose]: async () => {
      await host[Symbol.asyncDispose]();
      await rm(stateDir, { recursive: true });
    },
  };
});

function storeKey(path: string, account: string, token: string): void {
  using database = openDatabase(path);
  database.kv(`ACCOUNTS/${account}`).put(`key:${sha256(token)}`, { createdAt: Date.now() });
}
