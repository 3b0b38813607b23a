import { createControlHost } from "../../embedded/host/control-host.ts";
import { createLog } from "../../net/log.ts";

// A control plane alone: node control-process.ts STATE-DIR HOST PORT, secrets in the environment.
const [stateDir = "", host = "", port = ""] = process.argv.slice(2);
const { RDV_SIGNING_KEY, RDV_ADMIN_KEY_HASH } = process.env;
await using control = await createControlHost({
  host,
  port: Number(port),
  stateDir,
  env: { RDV_SIGNING_KEY, RDV_ADMIN_KEY_HASH },
  log: createLog({ write: (line) => void process.stderr.write(line), level: "info" }),
});
process.stdout.write(`${control.url}\n`);
await new Promise((resolve) => process.once("SIGTERM", resolve));
