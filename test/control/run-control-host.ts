import { createControlHost } from "../../embedded/host/control-host.ts";
import { silentLog } from "../../net/log.ts";

// A control plane in a process of its own, for tests that kill it: node run-control-host.ts STATE-DIR, secrets in the environment.
const { RDV_SIGNING_KEY, RDV_ADMIN_KEY_HASH } = process.env;
const env = { RDV_SIGNING_KEY, RDV_ADMIN_KEY_HASH };
const host = await createControlHost({
  host: "127.0.0.1",
  port: 0,
  stateDir: process.argv[2] ?? "",
  env,
  log: silentLog,
});
process.stdout.write(`${host.url}\n`);
