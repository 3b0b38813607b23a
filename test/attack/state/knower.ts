import { openKnownAgents } from "../../../cli/known-agents.ts";

/** Remembers agents of names of its own, one after the other, as commands do. */
const [stateDir = "", own = "", count = "0"] = process.argv.slice(2);
const known = openKnownAgents(stateDir, "http://127.0.0.1:1");
for (let i = 0; i < Number(count); i++) known.remember(`${own}-${i}`, "A".repeat(43));
