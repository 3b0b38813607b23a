import { fileURLToPath } from "node:url";
import type { Address, Running } from "../model.ts";
import { startProgram } from "./program.ts";
import type { PumpChoice } from "./rdv.ts";
import { started } from "./started.ts";

/** Accept, dial, join: the pump as a relay of its own, without the bound of 256 pairs that a session or a bridge has. */
export async function startRdvHop(pump: PumpChoice, port: number, service: Address): Promise<Running> {
  await using stack = new AsyncDisposableStack();
  const main = fileURLToPath(new URL("../pump-hop.ts", import.meta.url));
  const relay = stack.use(startProgram(process.execPath, [main, pump, String(port), String(service.port)]));
  await relay.listens(port);
  return started({ relay: [relay], address: { host: "127.0.0.1", port }, stack });
}
