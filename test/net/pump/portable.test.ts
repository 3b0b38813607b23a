import { createPump } from "../../../net/create-pump.ts";
import { silentLog } from "../../../net/log.ts";
import { testConformance } from "./conformance.ts";

testConformance("portable pump", () => createPump({ choice: "portable", log: silentLog }));
