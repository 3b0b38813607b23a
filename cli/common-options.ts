import type { Command } from "commander";
import * as z from "zod";
import { createProxiedFetch } from "../net/proxy/proxied-fetch.ts";
import { createApi } from "../protocol/client.ts";
import { version } from "../protocol/version.ts";
import { resolveCredentials, stateDirectory } from "./credentials.ts";
import type { Credentials } from "./credentials.ts";
import { createOutput } from "./output.ts";
import type { Output } from "./output.ts";
import { warnOfPlainHttp } from "./plain-http.ts";
import type { Runtime } from "./runtime.ts";
import { parseUrl } from "./values.ts";

/** Options that every command takes. */
const Common = z.object({
  stateDir: z.string().optional(),
  json: z.boolean().default(false),
  quiet: z.boolean().default(false),
  verbose: z.boolean().default(false),
});

/** Options of a command that talks to a control plane. */
const Client = z.object({
  control: z.string().optional(),
  token: z.string().optional(),
  stateDir: z.string().optional(),
});

/** Adds the options of every command. */
export function withCommonOptions(command: Command): Command {
  return command
    .option("--state-dir <dir>", "where state and keys are kept (env RDV_STATE_DIR)")
    .option("--json", "one JSON object a line on stdout, logs on stderr")
    .option("-q, --quiet", "no status lines")
    .option("-v, --verbose", "log every step on stderr")
    .version(version, "-V, --version", "show the version")
    .helpOption("-h, --help", "show this help");
}

/** Adds the options of a command that talks to a control plane. */
export function withClientOptions(command: Command): Command {
  return command
    .option("--control <url>", "the control plane (env RDV_CONTROL)", parseUrl)
    .option("--token <token>", "its owner key; better in env RDV_TOKEN, where `ps` does not show it");
}

/** Output as the common options ask for it, and the state directory. */
export function commonFrom(options: unknown, runtime: Runtime): { output: Output; stateDir: string } {
  const common = Common.parse(options);
  return { output: createOutput(runtime, common), stateDir: stateDirectory(common, runtime.env) };
}

/**
 * The control plane's typed client, as the client options, the environment and the stored credentials name it.
 * Commands that only ask give `signal`, so that Ctrl-C ends a request; those that say goodbye afterwards do not.
 */
export function clientFrom(
  options: unknown,
  runtime: Runtime,
  signal?: AbortSignal,
): { api: ReturnType<typeof createApi>; credentials: Credentials } {
  const credentials = resolveCredentials(Client.parse(options), runtime.env);
  const { control: url, token } = credentials;
  return { api: apiAt({ url, token, signal }, runtime), credentials };
}

/**
 * The typed client of the control plane at a URL, through the proxy that holds for it. Every command asks through it, so
 * here is where plain HTTP is warned of.
 */
export function apiAt(
  place: { readonly url: string; readonly token?: string; readonly signal?: AbortSignal | undefined },
  { proxies, stderr }: Runtime,
): ReturnType<typeof createApi> {
  warnOfPlainHttp(place.url, stderr);
  return createApi({ ...place, fetch: createProxiedFetch(proxies) });
}
