import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createControlHost } from "../../embedded/host/control-host.ts";
import { silentLog } from "../../net/log.ts";
import { describeControlPlane } from "./contract.ts";

describeControlPlane("Node", async (env) => {
  const stateDir = await mkdtemp(join(tmpdir(), "rdv-control-"));
  const start = async () =>
    await createControlHost({
      host: "127.0.0.1",
      port: 0,
      stateDir,
      env,
      log: silentLog,
      trustProxy: ["127.0.0.1"],
    });
  let host = await start();
  return {
    url: () => host.url,
    restart: async () => {
      await host[Symbol.asyncDispose]();
      host = await start();
    },
    [Symbol.asyncDispose]: async () => {
      await host[Symbol.asyncDispose]();
      await rm(stateDir, { recursive: true });
    },
  };
});
