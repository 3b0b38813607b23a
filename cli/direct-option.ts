import { Option } from "commander";
import type { Command } from "commander";
import * as z from "zod";

const Direct = z.object({ direct: z.enum(["auto", "only", "off"]).default("auto") });
type DirectMode = z.infer<typeof Direct>["direct"];

/** Adds the option of a command that reaches an agent. */
export function withDirectOption(command: Command): Command {
  return command.addOption(
    new Option(
      "--direct <mode>",
      "without the relay where that works (auto), never (off), or not at all else (only)",
    )
      .choices(["auto", "only", "off"])
      .default("auto"),
  );
}

export function directFrom(options: unknown): DirectMode {
  return Direct.parse(options).direct;
}
