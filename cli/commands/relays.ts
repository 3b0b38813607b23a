import { Command, InvalidArgumentError } from "commander";
import * as z from "zod";
import type { Relay } from "../../protocol/api.ts";
import { hostPort } from "../../protocol/api.ts";
import { RekeyRelay } from "../../protocol/keys.ts";
import { clientFrom, commonFrom, withClientOptions, withCommonOptions } from "../common-options.ts";
import type { Runtime } from "../runtime.ts";
import { formatTable } from "../table.ts";

const examples = `
Examples:
  rdv relays                      the same as rdv relays ls
  rdv relays drain r_…            give a relay's sessions to the others; it takes no new one
  rdv relays rekey r_… --key k_…  let a relay come with this key, and with another TLS key than before
  rdv relays rm r_…               take a drained or dead relay out of the fleet

Only the operator's key may use these.`;

/** `rdv relays`: the operator's view of the fleet. */
export function relaysCommand(runtime: Runtime): Command {
  return new Command("relays")
    .description("List, drain, rekey or remove the relays of the fleet.")
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .addHelpText("after", examples)
    .addCommand(listCommand(runtime), { isDefault: true })
    .addCommand(drainCommand(runtime))
    .addCommand(rekeyCommand(runtime))
    .addCommand(removeCommand(runtime));
}

function listCommand(runtime: Runtime): Command {
  return withCommonOptions(withClientOptions(new Command("ls")))
    .description("list the relays and their load")
    .action(async (options: unknown) => {
      const { output } = commonFrom(options, runtime);
      const relays = await clientFrom(options, runtime, runtime.signal).api.listRelays();
      for (const relay of relays) output.event({ event: "relay", ...relay });
      if (output.json) return;
      if (relays.length === 0) output.note("no relays; `rdv relay` adds one");
      else output.event({}, formatTable(columns, relays.map(row)));
    });
}

function drainCommand(runtime: Runtime): Command {
  return withCommonOptions(withClientOptions(new Command("drain")))
    .description("give a relay's sessions to other relays; live connections may finish")
    .argument("<relay>", "the relay's id")
    .action(async (id: string, options: unknown) => {
      const { output } = commonFrom(options, runtime);
      const { relay, others } = await clientFrom(options, runtime, runtime.signal).api.drainRelay(id);
      output.event({ event: "draining", relay: id, sessions: relay.leases, others }, `draining ${id}`);
      if (others === 0 && relay.leases > 0)
        output.note(
          `there is no other relay for its ${relay.leases} sessions: they stay until one joins the fleet`,
        );
      else output.note(`${relay.leases} sessions move; rdv relays ls shows when none is left`);
    });
}

function rekeyCommand(runtime: Runtime): Command {
  return withCommonOptions(withClientOptions(new Command("rekey")))
    .description("let a relay come with another key, or with a new TLS key")
    .argument("<relay>", "the relay's id")
    .option("--key <key>", "the id of the key that it comes with from now on", parseKey)
    .action(async (relay: string, options: unknown) => {
      const { output } = commonFrom(options, runtime);
      const request = RekeyRelay.parse(RekeyOptions.parse(options));
      await clientFrom(options, runtime, runtime.signal).api.rekeyRelay(relay, request);
      output.event({ event: "rekeyed", relay, ...request }, `rekeyed ${relay}`);
      output.note("its next hello says its TLS key; start it, with its token and its certificate");
    });
}

const RekeyOptions = z.object({ key: z.string().optional() });

function parseKey(text: string): string {
  if (RekeyRelay.safeParse({ key: text }).success) return text;
  throw new InvalidArgumentError("A key's id is k_ and 26 characters; rdv keys ls shows them.");
}

function removeCommand(runtime: Runtime): Command {
  return withCommonOptions(withClientOptions(new Command("rm")))
    .description("take relays out of the fleet that are gone or drained")
    .argument("<relay...>", "ids")
    .action(async (ids: string[], options: unknown) => {
      const { output } = commonFrom(options, runtime);
      const { api } = clientFrom(options, runtime, runtime.signal);
      for (const relay of ids) {
        await api.removeRelay(relay);
        output.event({ event: "removed", relay }, `removed ${relay}`);
      }
    });
}

const columns = [
  "ID",
  "REGION",
  "ADDRESS",
  "TLS",
  "STATE",
  "SESSIONS",
  "PAIRS",
  "MBIT/S",
  "LAG",
  "DESCRIPTORS",
  "SEEN",
];

function row({ id, region, host, sharedPort, tls, state, leases, load, seenAt }: Relay): string[] {
  return [
    id,
    region,
    hostPort(host, sharedPort),
    tls === null ? "plain" : "yes",
    state,
    String(leases),
    load ? String(load.pairs) : "-",
    load ? ((load.bytesPerSecond * 8) / 1e6).toFixed(1) : "-",
    load ? `${load.lagMs.toFixed(0)} ms` : "-",
    load ? `${load.descriptors}/${load.maxDescriptors}` : "-",
    seenAt?.replace(/\.\d+Z$/, "Z") ?? "-",
  ];
}
