import { createPump } from "../../../net/create-pump.ts";
import { silentLog } from "../../../net/log.ts";
import { testConformance } from "./conformance.ts";

testConformance("kernel pump", () => createPump({ choice: "kernel", threads: 2, log: silentLog }));
