import { Command } from "commander";
import * as z from "zod";
import { parseBridgeAddress } from "../../agent/bridge/address.ts";
import type { BridgeAddress } from "../../agent/bridge/address.ts";
import type { BridgeDeps, BridgeEvent } from "../../agent/bridge/bridge-pairs.ts";
import { createForwarder } from "../../agent/bridge/listen-connect.ts";
import { createLink } from "../../agent/bridge/connect-connect.ts";
import { createRendezvous } from "../../relay-node/rendezvous.ts";
import { commonFrom, withCommonOptions } from "../common-options.ts";
import type { Output } from "../output.ts";
import { openPump, withPumpOptions } from "../open-pump.ts";
import type { Runtime } from "../runtime.ts";
import { untilAborted } from "../until-aborted.ts";

const examples = `
ADDRESS is tcp:HOST:PORT (dial) or tcp-listen:[HOST:]PORT (listen), as socat writes them.
Pair after pair is served, many at once, unless --once.

Examples:
  rdv bridge tcp-listen:1234 tcp-listen:5678      the public machine: join who comes to 1234 with who comes to 5678
  rdv bridge tcp:public:1234 tcp:localhost:22     behind the NAT: join the public machine with the local sshd
  ssh -p 5678 user@public                         anywhere: a plain client
  rdv bridge tcp-listen:8080 tcp:10.0.0.7:80      forward a port`;

const Options = z.object({ once: z.boolean().default(false) });

/** `rdv bridge`: the two-socket primitive, without a control plane. */
export function bridgeCommand(runtime: Runtime): Command {
  return withCommonOptions(
    withPumpOptions(
      new Command("bridge")
        .description("Join two TCP addresses: listen-listen, connect-connect or listen-connect.")
        .argument("<address>", "first address")
        .argument("<address>", "second address")
        .option("--once", "serve one pair, then end"),
    ),
  )
    .addHelpText("after", examples)
    .action(async (first: string, second: string, options: unknown) => {
      await bridge(parseBridgeAddress(first), parseBridgeAddress(second), options, runtime);
    });
}

async function bridge(a: BridgeAddress, b: BridgeAddress, options: unknown, runtime: Runtime): Promise<void> {
  const { output } = commonFrom(options, runtime);
  const { once } = Options.parse(options);
  await using pump = await openPump(options, output.log);
  const onEvent = (event: BridgeEvent): void => report(event, output);
  await using running = await open({ a, b, once, pump, log: output.log, signal: runtime.signal, onEvent });
  output.event({ event: "ready", command: "bridge", a: running.a, b: running.b });
  output.note(`bridging ${running.a} and ${running.b}${once ? ", once" : "; Ctrl-C ends it"}`);
  await Promise.race([running.done, untilAborted(runtime.signal)]);
}

interface Running extends AsyncDisposable {
  /** The two addresses, as bound where they listen. */
  readonly a: string;
  readonly b: string;
  /** Resolves when `--once` has been served; rejects when it cannot be. */
  readonly done: Promise<unknown>;
}

/** Starts the form of bridge that the two kinds of address ask for. */
async function open(deps: BridgeDeps): Promise<Running> {
  const { a, b } = deps;
  if (a.type === "listen" && b.type === "listen") {
    const rendezvous = await createRendezvous(deps);
    return withLabels(rendezvous, rendezvous.a.address, rendezvous.b.address);
  }
  if (a.type === "connect" && b.type === "connect") return withLabels(createLink(deps), a.label, b.label);
  const forwarder = await createForwarder(deps);
  return a.type === "listen"
    ? withLabels(forwarder, forwarder.address, b.label)
    : withLabels(forwarder, a.label, forwarder.address);
}

function withLabels(running: Pick<Running, "done"> & AsyncDisposable, a: string, b: string): Running {
  return { a, b, done: running.done, [Symbol.asyncDispose]: async () => running[Symbol.asyncDispose]() };
}

function report(event: BridgeEvent, output: Output): void {
  const { type, ...fields } = event;
  output.event({ event: type, ...fields });
  if (event.type === "paired") output.note(`pair ${event.pair}: ${event.a} and ${event.b}`);
  else
    output.note(
      `pair ${event.pair} ended: ${event.aToB} bytes one way, ${event.bToA} the other, ${event.outcome}`,
    );
}
