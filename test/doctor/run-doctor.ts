import * as z from "zod";
import { runRdv } from "../fixtures/rdv.ts";
import type { RdvOptions } from "../fixtures/rdv.ts";

const Line = z.discriminatedUnion("event", [
  z.object({
    event: z.literal("check"),
    name: z.string(),
    status: z.enum(["ok", "warn", "fail", "skip"]),
    detail: z.string(),
    advice: z.string().optional(),
  }),
  z.object({
    event: z.literal("done"),
    command: z.literal("doctor"),
    ok: z.number(),
    warn: z.number(),
    fail: z.number(),
    skip: z.number(),
  }),
]);
type Line = z.infer<typeof Line>;
type Check = Extract<Line, { event: "check" }>;

/** What `rdv doctor --json` has said. */
export interface Diagnosis {
  readonly code: number | null;
  readonly checks: readonly Check[];
  readonly done: Extract<Line, { event: "done" }> | undefined;
  /** The one finding of that name; fails when there is none, or more. */
  readonly find: (name: string) => Check;
  /** Names of the checks with that status, in order. */
  readonly names: (status: Check["status"]) => string[];
}

/** Runs `rdv doctor ARGS --json` to its end. */
export async function runDoctor(
  args: readonly string[],
  options: RdvOptions & { readonly ms?: number },
): Promise<Diagnosis> {
  const { code, stdout, stderr } = await runRdv(["doctor", ...args, "--json"], options);
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => Line.parse(JSON.parse(line)));
  const checks = lines.filter((line) => line.event === "check");
  return {
    code,
    checks,
    done: lines.find((line) => line.event === "done"),
    names: (status) => checks.filter((check) => check.status === status).map(({ name }) => name),
    find: (name) => {
      const found = checks.filter((check) => check.name === name);
      const [one] = found;
      if (!one || found.length > 1) throw new Error(`${found.length} findings "${name}"\n${stdout}${stderr}`);
      return one;
    },
  };
}
