import { userInfo } from "node:os";
import { Command, Option } from "commander";
import * as z from "zod";
import { parseTarget } from "../../agent/target.ts";
import type { Target } from "../../agent/target.ts";
import { loadIdentity } from "../../net/tls/load-identity.ts";
import { RdvError } from "../../protocol/errors.ts";
import type { CreateInvitation } from "../../protocol/invitations.ts";
import { limits } from "../../protocol/limits.ts";
import { clientFrom, commonFrom, withClientOptions, withCommonOptions } from "../common-options.ts";
import { runExposure } from "../run-exposure.ts";
import { runInvitation } from "../run-invitation.ts";
import { identityPath } from "../open-client.ts";
import { openPump, withPumpOptions } from "../open-pump.ts";
import { outboundFrom, withTransportOption } from "../outbound.ts";
import type { Runtime } from "../runtime.ts";
import {
  collectCidr,
  collectFingerprint,
  parseCidr,
  parseBytes,
  parseCount,
  parseDuration,
  parseName,
  parsePort,
  parseRegion,
} from "../values.ts";

const examples = `
TARGET is a port of this machine, host:port, or a known name (ssh, vnc, rdp, http, postgres …).

Examples:
  rdv expose 22                              ssh to this machine
  rdv expose ssh --name my-desk              the same, with a name: a restarted agent takes its port back
  rdv expose 10.0.0.7:5432 --allow 203.0.113.0/24
                                             a database of the local network, for one network alone
  rdv expose 443 --relays 2                  on two relays with one port: the loss of one turns no client away
  rdv expose 22 --private                    no public port; from elsewhere: rdv ssh my-desk
  rdv expose 22 --private --client QI6U…     and for the machine with that key alone
  rdv expose 3000 --ttl 8h --json            a web page until tonight, events as JSON lines`;

const Options = z.object({
  name: z.string().optional(),
  port: z.number().optional(),
  region: z.string().optional(),
  allow: z.array(z.string()).optional(),
  ttl: z.number().optional(),
  once: z.boolean().default(false),
  pairs: z.number().optional(),
  connectsPerSecond: z.number().optional(),
  bytes: z.number().optional(),
  pool: z.number().default(limits.poolDefault),
  relays: z.number().default(1),
  plain: z.boolean().default(false),
  direct: z.enum(["auto", "off"]).default("auto"),
  private: z.boolean().default(false),
  client: z.array(z.string()).optional(),
  raw: z.boolean().default(false),
  rawFrom: z.string().optional(),
});
type Options = z.infer<typeof Options>;

/** `rdv expose`: the agent beside a service. */
export function exposeCommand(runtime: Runtime): Command {
  return withCommonOptions(
    withClientOptions(
      withPumpOptions(
        withTransportOption(new Command("expose"))
          .description("Make a service of this machine, or one that it can reach, reachable through a relay.")
          .argument("<target>", "what to expose")
          .option(
            "--name <name>",
            "the session's name; who comes again with it takes the session over",
            parseName,
          )
          .option("--port <port>", "the public port, instead of any free one", parsePort)
          .option("--region <region>", "region of the relay", parseRegion)
          .option("--allow <cidr>", "addresses that may connect; repeatable (default: all)", collectCidr)
          .option("--ttl <duration>", "end after this time, such as 8h", parseDuration)
          .option("--once", "end after the first client")
          .option("--pairs <n>", "connections at once", parseCount(1, limits.pairsPerSession))
          .option("--connects-per-second <n>", "new connections a second", parseCount(1, 1_000))
          .option("--bytes <n>", "end after so many bytes of both directions, such as 2G", parseBytes)
          .option(
            "--pool <n>",
            "connections kept ready at the relay",
            parseCount(1, limits.poolMax),
            limits.poolDefault,
          )
          .option(
            "--relays <n>",
            "relays that carry the session at once, all with the same port",
            parseCount(1, limits.relaysPerSession),
            1,
          )
          .addOption(
            new Option("--direct <mode>", "whether rdv connect may reach this machine without the relay")
              .choices(["auto", "off"])
              .default("auto"),
          )
          .option("--private", "no public port: reached by its owner alone, with rdv connect or rdv ssh")
          .option(
            "--client <fingerprint>",
            "of a private session: only this machine's key is let in; repeatable (see rdv doctor there)",
            collectFingerprint,
          )
          .option(
            "--plain",
            "no TLS to the relay: faster, for services that encrypt themselves, as ssh and https do",
          )
          .option(
            "--raw",
            "no agent here: whoever dials a port of the relay is the service; for ssh and TLS alone",
          )
          .option("--raw-from <cidr>", "who may do so (default: the address that comes first)", parseCidr),
      ),
    ),
  )
    .addHelpText("after", examples)
    .action(async (target: string, options: unknown) => expose(target, options, runtime));
}

async function expose(targetText: string, rawOptions: unknown, runtime: Runtime): Promise<void> {
  const target = parseTarget(targetText);
  const { output, stateDir } = commonFrom(rawOptions, runtime);
  const options = Options.parse(rawOptions);
  const raw = options.raw || options.rawFrom !== undefined;
  if (options.private && (options.port !== undefined || raw))
    throw new RdvError("usage", "--private has no public port: leave out --port and --raw");
  if (options.client && (!options.private || options.plain))
    throw new RdvError("usage", "--client needs --private, and the encryption that --plain leaves out");
  const request = raw ? rawRequest(target, options) : undefined;
  const { api } = clientFrom(rawOptions, runtime);
  if (request)
    return await runInvitation({
      api,
      target,
      request,
      command: [],
      qr: false,
      rawOnly: true,
      output,
      runtime,
    });
  await using pump = await openPump(rawOptions, output.log);
  const startedAt = Date.now();
  const { how, reason = "it has ended" } = await runExposure({
    api,
    target,
    options,
    pump,
    output,
    signal: runtime.signal,
    identity: loadIdentity(identityPath(stateDir)),
    outbound: outboundFrom(rawOptions, runtime),
  });
  if (how === "replaced")
    throw new RdvError("replaced", "a newer agent has taken over this session; this one has stopped");
  // The control plane's clock ends the session; a second covers the moment between the two clocks' starts.
  const lived = options.ttl !== undefined && Date.now() - startedAt >= (options.ttl - 1) * 1_000;
  if (how === "ended" && !lived)
    throw new RdvError("ended", `the session is over: ${reason}; run the command again for a new one`);
}

/** A raw session has no agent that could obey more than this; it is an invitation whose code is not sent to anybody. */
function rawRequest(target: Target, options: Options): CreateInvitation {
  refuseInVain(options);
  const { name, region, allow, ttl, rawFrom } = options;
  return {
    target: target.label,
    inviter: userInfo().username,
    ttlSeconds: ttl ?? limits.rawSeconds,
    raw: { from: rawFrom ?? null },
    ...(target.service === undefined ? {} : { service: target.service }),
    ...(name === undefined ? {} : { name }),
    ...(region === undefined ? {} : { region }),
    ...(allow === undefined ? {} : { allow }),
  };
}

/** A limit that nobody would keep is refused, so that nobody relies on it. */
function refuseInVain({ port, once, pairs, connectsPerSecond, bytes, relays }: Options): void {
  const asked: Readonly<Record<string, boolean>> = {
    "--port": port !== undefined,
    "--once": once,
    "--pairs": pairs !== undefined,
    "--connects-per-second": connectsPerSecond !== undefined,
    "--bytes": bytes !== undefined,
    "--relays": relays > 1,
  };
  const vain = Object.keys(asked).filter((option) => asked[option]);
  if (vain.length > 0)
    throw new RdvError("usage", `--raw has no agent that could obey ${vain.join(", ")}: leave that out`);
}
