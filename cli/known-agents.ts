import { join } from "node:path";
import * as z from "zod";
import type { KnownAgents } from "../agent/connect/trust.ts";
import { Fingerprint } from "../protocol/api.ts";
import { RdvError } from "../protocol/errors.ts";
import { changeState } from "../state/lock.ts";
import { readStateFile } from "../state/read-file.ts";
import { writeStateFile } from "../state/write-file.ts";

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
      changeState(stateDir, () => {
        const known = read(path);
        const next: Known = { ...known, [control]: { ...known[control], [name]: key } };
        writeStateFile(path, `${JSON.stringify(next, null, 2)}\n`);
      });
    },
  };
}

/** One spelling for each control plane. */
function spelled(url: string): string {
  return (URL.parse(url)?.href ?? url).replace(/\/+$/, "");
}

function read(path: string): Known {
  const text = readStateFile(path, { secret: false });
  if (text === undefined) return {};
  try {
    return Known.parse(JSON.parse(text));
  } catch (cause) {
    throw new RdvError("failed", `${path} is damaged: remove it, and compare the keys that are then new`, {
      cause,
    });
  }
}
