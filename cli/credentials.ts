import { homedir } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import { RdvError } from "../protocol/errors.ts";
import { readStateFile } from "../state/read-file.ts";
import { writeStateFile } from "../state/write-file.ts";
import type { Runtime } from "./runtime.ts";

/** Which control plane to ask, and the key that opens it. */
export const Credentials = z.object({ control: z.string(), token: z.string() });
export type Credentials = z.infer<typeof Credentials>;

interface Given {
  readonly control?: string | undefined;
  readonly token?: string | undefined;
  readonly stateDir?: string | undefined;
}

const fileName = "credentials.json";

/** The state directory: flag, `RDV_STATE_DIR`, else `$XDG_STATE_HOME/rdv` (XDG base directories: `~/.local/state/rdv`). */
export function stateDirectory(given: Given, env: Runtime["env"]): string {
  return (
    given.stateDir ??
    (env["RDV_STATE_DIR"] || join(env["XDG_STATE_HOME"] || join(homedir(), ".local", "state"), "rdv"))
  );
}

/** A value, and who said it. */
export interface Found {
  readonly value: string;
  readonly from: "flag" | "environment" | "file";
}

/** Control plane and token, as far as they are known: flag, then environment, then the file that `rdv up` or `rdv login` wrote. */
export function findCredentials(
  given: Given,
  env: Runtime["env"],
): { readonly control: Found | undefined; readonly token: Found | undefined } {
  const stored = readCredentials(stateDirectory(given, env));
  const control = first(given.control, env["RDV_CONTROL"]?.replace(/\/+$/, ""), stored?.control);
  // A stored token is for the control plane beside which it is stored.
  const storedToken = stored?.control === control?.value ? stored?.token : undefined;
  return { control, token: first(given.token, env["RDV_TOKEN"], storedToken) };
}

function first(flag: string | undefined, variable: string | undefined, file: string | undefined) {
  if (flag !== undefined) return { value: flag, from: "flag" } as const;
  if (variable) return { value: variable, from: "environment" } as const;
  return file === undefined ? undefined : ({ value: file, from: "file" } as const);
}

/** Control plane and token of `findCredentials`; throws `failed` or `unauthorized` when one is not known. */
export function resolveCredentials(given: Given, env: Runtime["env"]): Credentials {
  const { control, token } = findCredentials(given, env);
  if (!control?.value)
    throw new RdvError(
      "failed",
      "no control plane is known: start one with `rdv up`, or give --control URL or RDV_CONTROL",
    );
  if (!token?.value)
    throw new RdvError("unauthorized", `no token for ${control.value}: set RDV_TOKEN to its owner key`);
  return { control: control.value, token: token.value };
}

/** Reads the stored credentials; undefined when there are none. Throws `failed` for those that cannot be used. */
export function readCredentials(stateDir: string): Credentials | undefined {
  const path = join(stateDir, fileName);
  const text = readStateFile(path, { secret: true });
  if (text === undefined) return undefined;
  const parsed = Credentials.safeParse(parseJson(text));
  if (!parsed.success)
    throw new RdvError("failed", `${path} is damaged: remove it, then run \`rdv up\` or \`rdv login URL\``);
  return parsed.data;
}

/** Writes the credentials where the other commands of this user find them, readable by this user alone; returns the path. Throws `failed`. */
export function writeCredentials(stateDir: string, credentials: Credentials): string {
  const path = join(stateDir, fileName);
  writeStateFile(path, `${JSON.stringify(credentials, null, 2)}\n`);
  return path;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
