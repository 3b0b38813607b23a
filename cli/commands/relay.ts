import { Command } from "commander";
import * as z from "zod";
import { lockState } from "../../state/lock.ts";
import { hostPort } from "../../protocol/api.ts";
import { createRelayNode } from "../../relay-node/relay-node.ts";
import { loadRelayId, newRelayId } from "../../relay-node/relay-id.ts";
import { clientFrom, commonFrom, withClientOptions, withCommonOptions } from "../common-options.ts";
import { metricsOption, metricsToken, openMetrics } from "../metrics-option.ts";
import { portsOption } from "../ports-option.ts";
import { relayIdentity, tlsNote, withTlsOptions } from "../relay-identity.ts";
import { openPump, withPumpOptions } from "../open-pump.ts";
import type { Runtime } from "../runtime.ts";
import { untilAborted } from "../until-aborted.ts";
import { parseHost, parseListenPort, parseRegion } from "../values.ts";

const examples = `
Examples:
  RDV_TOKEN=… rdv relay --control https://rdv.example.org --region eu-west --public-host relay1.example.org
  RDV_TOKEN=… rdv relay --control https://rdv.example.org --region eu-west --public-host 203.0.113.7 --ports 30000-30999`;

const Options = z.object({
  region: z.string(),
  publicHost: z.string(),
  host: z.string(),
  port: z.number(),
  ports: z.object({ from: z.number(), to: z.number() }),
});

/** `rdv relay`: one relay node of a fleet. */
export function relayCommand(runtime: Runtime): Command {
  return withCommonOptions(
    withClientOptions(
      withPumpOptions(
        withTlsOptions(
          new Command("relay")
            .description("Run a relay node: it pairs halves and never dials.")
            .requiredOption("--region <region>", "region of this relay, such as eu-west", parseRegion)
            .requiredOption(
              "--public-host <host>",
              "name or address under which agents and clients reach this machine",
              parseHost,
            )
            .option("--host <address>", "local address to listen on", parseHost, "0.0.0.0")
            .option("--port <port>", "shared port for agents' halves", parseListenPort, 8788)
            .addOption(metricsOption())
            .addOption(portsOption()),
        ),
      ),
    ),
  )
    .addHelpText("after", examples)
    .action(async (options: unknown) => relay(options, runtime));
}

async function relay(rawOptions: unknown, runtime: Runtime): Promise<void> {
  const { output, stateDir } = commonFrom(rawOptions, runtime);
  const { api, credentials } = clientFrom(rawOptions, runtime, runtime.signal);
  const options = Options.parse(rawOptions);
  // Two relays with the id that is kept there would take the control link from each other for ever.
  using _state = lockState(stateDir);
  const tls = relayIdentity(rawOptions, stateDir, output);
  await using pump = await openPump(rawOptions, output.log);
  await using node = await createRelayNode({
    // A key that was made for one new relay says its id.
    id: await loadRelayId(stateDir, async () => (await api.whoAmI()).relay ?? newRelayId()),
    listenHost: options.host,
    publicHost: options.publicHost,
    sharedPort: options.port,
    ports: options.ports,
    region: options.region,
    control: { url: credentials.control, token: credentials.token },
    stateDir,
    tls,
    pump,
    log: output.log,
    signal: runtime.signal,
    metricsToken: metricsToken(runtime.env),
  });
  await using metrics = await openMetrics(rawOptions, () => node.metricsText());
  const address = hostPort(options.publicHost, node.sharedPort);
  output.note(
    `relay ${node.id} listens on ${address}, client ports ${options.ports.from}-${options.ports.to}`,
  );
  output.note(tlsNote(tls));
  await Promise.race([node.ready, untilAborted(runtime.signal)]);
  if (!runtime.signal.aborted)
    output.event(
      {
        event: "ready",
        command: "relay",
        relay: address,
        id: node.id,
        region: options.region,
        tls: tls?.fingerprint ?? null,
        metrics: metrics?.url ?? null,
      },
      `relay ${address} is ready`,
    );
  await Promise.race([untilAborted(runtime.signal), node.removed]);
  if (!runtime.signal.aborted)
    output.event(
      { event: "removed", command: "relay", id: node.id },
      `relay ${address} was taken out of the fleet`,
    );
}
