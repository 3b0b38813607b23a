import { Command } from "commander";
import * as z from "zod";
import { parseTarget } from "../../agent/target.ts";
import type { Target } from "../../agent/target.ts";
import { createDemoService } from "../../embedded/demo-service.ts";
import { createUp } from "../../embedded/up.ts";
import type { Up } from "../../embedded/up.ts";
import { loadIdentity } from "../../net/tls/load-identity.ts";
import { createApi } from "../../protocol/client.ts";
import { limits } from "../../protocol/limits.ts";
import { commonFrom, withCommonOptions } from "../common-options.ts";
import { writeCredentials } from "../credentials.ts";
import { identityPath } from "../open-client.ts";
import { runExposure } from "../run-exposure.ts";
import type { ExposureOptions } from "../run-exposure.ts";
import { metricsOption, metricsToken, openMetrics } from "../metrics-option.ts";
import { portsOption } from "../ports-option.ts";
import { isLoopbackHost } from "../../protocol/plain-address.ts";
import { relayIdentity, tlsNote, withTlsOptions } from "../relay-identity.ts";
import { openPump, withPumpOptions } from "../open-pump.ts";
import type { Runtime } from "../runtime.ts";
import { untilAborted } from "../until-aborted.ts";
import {
  collect,
  collectCidr,
  parseCidrs,
  parseHost,
  parseListenPort,
  parseRegion,
  parseUrl,
} from "../values.ts";

const examples = `
Examples:
  rdv up                                     on this machine alone, for a try
  rdv up --expose 22                         and this machine's ssh exposed at once
  rdv up --host 0.0.0.0 --public-host rdv.example.org
                                             on a public machine, for agents elsewhere`;

const Options = z.object({
  host: z.string(),
  publicHost: z.string().optional(),
  publicUrl: z.string().optional(),
  trustProxy: z.array(z.string()).optional(),
  controlPort: z.number(),
  relayPort: z.number(),
  ports: z.object({ from: z.number(), to: z.number() }),
  region: z.string(),
  expose: z.array(z.string()).default([]),
  demo: z.boolean().default(false),
});

/** `rdv up`: control plane, relay and, if asked, exposed services in one process. */
export function upCommand(runtime: Runtime): Command {
  return withCommonOptions(
    withPumpOptions(
      withTlsOptions(
        new Command("up")
          .description("Run a control plane and a relay in one process.")
          .option("--host <address>", "local address to listen on", parseHost, "127.0.0.1")
          .option("--public-host <host>", "name or address by which others reach this machine", parseHost)
          .option("--public-url <url>", "address of the control plane behind a TLS proxy", parseUrl)
          .option(
            "--trust-proxy <cidr>",
            "a proxy that is believed about its clients' addresses; repeatable (env RDV_TRUST_PROXY; default: none)",
            collectCidr,
          )
          .option("--control-port <port>", "port of the control plane", parseListenPort, 8787)
          .option("--relay-port <port>", "shared port for agents' halves", parseListenPort, 8788)
          .addOption(metricsOption())
          .addOption(portsOption())
          .option("--region <region>", "region of the relay", parseRegion, "local")
          .option("--expose <target>", "expose a service at once; repeatable", collect)
          .option("--demo", "expose a small demonstration page when no --expose is given"),
      ),
    ),
  )
    .addHelpText("after", examples)
    .action(async (options: unknown) => up(options, runtime));
}

async function up(rawOptions: unknown, runtime: Runtime): Promise<void> {
  const { output, stateDir } = commonFrom(rawOptions, runtime);
  const options = Options.parse(rawOptions);
  process.umask(0o077); // what the state directory gets is for this user alone, whatever the directory's own mode
  const exposed: Exposed[] = options.expose.map((text) => ({ target: parseTarget(text), options: plain }));
  const tls = relayIdentity(rawOptions, stateDir, output);
  await using pump = await openPump(rawOptions, output.log);
  await using running = await createUp({
    ...options,
    trustProxy: options.trustProxy ?? parseCidrs("RDV_TRUST_PROXY", runtime.env),
    stateDir,
    tls,
    pump,
    log: output.log,
    signal: runtime.signal,
    metricsToken: metricsToken(runtime.env),
  });
  await using metrics = await openMetrics(rawOptions, async () => await running.metricsText());
  const { control, relay, token } = running;
  const path = writeCredentials(stateDir, { control: running.ownControl, token });
  output.event({
    event: "ready",
    command: "up",
    control,
    relay,
    metrics: metrics?.url ?? null,
    credentialsFile: path,
  });
  output.note(
    `control plane ${control}, relay ${relay}, client ports ${options.ports.from}-${options.ports.to}`,
  );
  output.note(`owner key in ${path}; this user's rdv commands find it there`);
  if (!isLoopbackHost(options.host)) {
    output.note(tlsNote(tls));
    if (options.publicUrl?.startsWith("https:") !== true) runtime.stderr(openWarning);
  }
  await using demo = options.demo && exposed.length === 0 ? await createDemoService() : undefined;
  if (demo) exposed.push({ target: demoTarget(demo.port), options: { ...plain, suggestedName: "demo" } });
  if (exposed.length === 0) output.note("expose something in another shell: rdv expose 22");
  const identity = exposed.length === 0 ? undefined : loadIdentity(identityPath(stateDir));
  await exposeAll(exposed, { api: apiOf(running), pump, output, identity, signal: runtime.signal });
  await untilAborted(runtime.signal);
  output.note("stopped");
}

const openWarning =
  "rdv: WARNING: the control plane speaks plain http beyond this machine: keys can be read and answers changed on the way; put a TLS proxy before it and give --public-url https://…, or deploy it on Workers\n";

/** What an exposure gets that has no options of its own. */
const plain: ExposureOptions = { pool: limits.poolDefault };

interface Exposed {
  readonly target: Target;
  readonly options: ExposureOptions;
}

function demoTarget(port: number): Target {
  return { host: "127.0.0.1", port, label: "the demonstration page", service: "http" };
}

function apiOf(up: Up): ReturnType<typeof createApi> {
  return createApi({ url: up.ownControl, token: up.token });
}

async function exposeAll(
  exposed: readonly Exposed[],
  run: Omit<Parameters<typeof runExposure>[0], "target" | "options">,
): Promise<void> {
  await Promise.all(
    exposed.map(async ({ target, options }) => {
      const { how, reason = how } = await runExposure({ ...run, target, options });
      if (!run.signal.aborted) run.output.note(`${target.label} is no longer exposed: ${reason}`);
    }),
  );
}
