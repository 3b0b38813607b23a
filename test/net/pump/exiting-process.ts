import { createPump } from "../../../net/create-pump.ts";
import { silentLog } from "../../../net/log.ts";

/** A process that ends with a kernel pump that nobody disposed of. */
await createPump({ choice: "kernel", threads: 2, log: silentLog });
process.exit(7);
