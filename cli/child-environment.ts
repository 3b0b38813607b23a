import type { Runtime } from "./runtime.ts";

type Environment = Runtime["env"];

/**
 * Takes rdv's own secrets out of the environment of this process, so that the programs which it starts do not inherit
 * them, and gives the environment as it was.
 */
export function takeSecrets(environment: NodeJS.ProcessEnv): Environment {
  const before = { ...environment };
  for (const name of Object.keys(environment)) if (isSecret(name)) delete environment[name];
  return before;
}

/** What a program sees that is not rdv's own: everything but the secrets. */
export function withoutSecrets(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !isSecret(name)));
}

/** `RDV_TOKEN`, and whatever else of ours opens something. */
function isSecret(name: string): boolean {
  return /^RDV_(\w+_)?(TOKEN|KEY)$/.test(name);
}
