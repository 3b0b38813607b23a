import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import type { KnownAgents } from "../agent/connect/trust.ts";
import { Fingerprint } from "../protocol/api.ts";
import { RdvError } from "../protocol/errors.ts";

/** Keys of agents, by control plane and by the session as the user named it. */
const Known = z.record(z.string(), z.record(z.string(), Fingerprint));
type Known = z.infer<typeof Known>;

const fileName = "known-agents.json";

/** The agents of one control plane whose keys were seen, kept in the state directory. Throws `failed` for a damaged file. */
export function openKnownAgents(stateDir: string, controlUrl: string): KnownAgents {
  const control = spelled(controlUrl);
  const path = join(stateDir, fileName);
  return {
    get(name) {
      const agents = read(path)[control];
      return agents && Object.hasOwn(agents, name) ? agents[name] : undefined;
    },
    remember(name, key) {
      const known = read(path);
      const next: Known = { ...known, [control]: { ...known[control], [name]: key } };
      mkdirSync(stateDir, { recursive: true, mode: 0o700 });
      // A name of its own, because several commands may write at once.
      const temporary = `${path}.${process.pid}`;
      writeFileSync(temporary, `${JSON.stringify(next, null, 2)}\n`, { mode: 0o600 });
      renameSync(temporary, path);
    },
  };
}

/** One spelling for each control plane. */
function spelled(url: string): string {
  return (URL.parse(url)?.href ?? url).replace(/\/+$/, "");
}

function read(path: string): Known {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return {};
  }
  try {
    return Known.parse(JSON.parse(text));
  } catch (cause) {
    throw new RdvError("failed", `${path} is damaged: remove it, and compare the keys that are then new`, {
      cause,
    });
  }
}
