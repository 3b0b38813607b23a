import { Option } from "commander";
import * as z from "zod";
import { openMetricsServer } from "../relay-node/metrics-server.ts";
import type { MetricsServer } from "../relay-node/metrics-server.ts";
import { RdvError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { orNone, parseListenPort } from "./values.ts";

const Options = z.object({ metricsPort: z.union([z.number(), z.literal("none")]).optional() });

/** `--metrics-port PORT`, or `none`. */
export function metricsOption(): Option {
  const text = `port of /metrics on 127.0.0.1, or none (default: ${limits.metricsPort}, another one when that is taken)`;
  return new Option("--metrics-port <port>", text).argParser(orNone(parseListenPort));
}

/** Serves metrics on loopback as the options say; undefined with `none`. */
export async function openMetrics(
  rawOptions: unknown,
  text: () => string | Promise<string>,
): Promise<MetricsServer | undefined> {
  const { metricsPort: port } = Options.parse(rawOptions);
  return port === "none" ? undefined : await openMetricsServer({ port, text });
}

/** The token that opens `/metrics` on a relay's shared port, from `RDV_METRICS_TOKEN`. Throws `usage`. */
export function metricsToken(env: NodeJS.ProcessEnv): string | undefined {
  const token = env["RDV_METRICS_TOKEN"];
  if (token === undefined || token === "") return undefined;
  if (/^\S{16,200}$/.test(token)) return token;
  throw new RdvError("usage", "RDV_METRICS_TOKEN has to be 16 to 200 characters without spaces");
}
