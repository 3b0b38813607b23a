import { Option } from "commander";
import { parsePortRange } from "./values.ts";

/** `--ports`: where a relay lets plain clients in; the default lies outside the system's ephemeral range. */
export function portsOption(): Option {
  return new Option("--ports <range>", "ports for plain clients")
    .argParser(parsePortRange)
    .default({ from: 20_000, to: 29_999 }, "20000-29999");
}
