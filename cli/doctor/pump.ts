import { createPump } from "../../net/create-pump.ts";
import { silentLog } from "../../net/log.ts";
import { RdvError } from "../../protocol/errors.ts";
import { ok, warn } from "./finding.ts";
import type { Finding } from "./finding.ts";

interface System {
  readonly platform: string;
  readonly arch: string;
}

/** Whether the kernel can move the bytes here: it is tried, with a pump that is taken down again. */
export async function checkPump(system: System = process): Promise<Finding> {
  try {
    await using pump = await createPump({ choice: "kernel", threads: 1, log: silentLog, system });
    return ok("pump", `${pump.kind}: the kernel moves the bytes between plain connections`);
  } catch (error) {
    if (!(error instanceof RdvError)) throw error;
    const detail = `portable. ${error.message}`;
    if (system.platform !== "linux") return ok("pump", detail);
    return warn("pump", detail, "everything works, at about four times the processor time a byte");
  }
}
