import { createControlHost } from "../../embedded/host/control-host.ts";
import { createLog } from "../../net/log.ts";

// The control plane of bench/control-host.ts: node host.ts STATE-DIR, secrets in the environment.
const { RDV_SIGNING_KEY, RDV_ADMIN_KEY_HASH } = process.env;
const host = await createControlHost({
  host: "127.0.0.1",
  port: 0,
  stateDir: process.argv[2] ?? "",
  env: { RDV_SIGNING_KEY, RDV_ADMIN_KEY_HASH },
  log: createLog({ write: (line) => void process.stderr.write(line), level: "warn" }),
});
process.stdout.write(`${JSON.stringify({ url: host.url })}\n`);
