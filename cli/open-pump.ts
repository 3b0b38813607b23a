import { Option } from "commander";
import type { Command } from "commander";
import * as z from "zod";
import { createPump } from "../net/create-pump.ts";
import type { Log } from "../net/log.ts";
import { parseCount } from "./values.ts";

const PumpOptions = z.object({
  pump: z.enum(["auto", "kernel", "portable"]),
  threads: z.number().optional(),
});

/** Adds the options of a command that moves bytes. */
export function withPumpOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--pump <kind>", "what moves the bytes")
        .choices(["auto", "kernel", "portable"])
        .default("auto"),
    )
    .option("--threads <n>", "threads of the kernel pump (default: cores, at most 4)", parseCount(1, 64));
}

/** Opens the pump that those options name. */
export async function openPump(options: unknown, log: Log): ReturnType<typeof createPump> {
  const { pump: choice, threads } = PumpOptions.parse(options);
  return await createPump({ choice, log, ...(threads === undefined ? {} : { threads }) });
}
