import { Command } from "commander";
import * as z from "zod";
import { parseBridgeAddress } from "../../agent/bridge/address.ts";
import type { BridgeAddress } from "../../agent/bridge/address.ts";
import { createForwarder } from "../../agent/bridge/listen-connect.ts";
import { createLink } from "../../agent/bridge/connect-connect.ts";
import { hostPort } from "../../protocol/api.ts";
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
  return withCommonOptions(withPumpOptions(new Command("bridge")))
    .description("Join two TCP addresses: listen-listen, connect-connect or listen-connect.")
    .argument("<address>", "first address")
    .argument("<address>", "second address")
    .option("--once", "serve one pair, then end")
    .addHelpText("after", examples)
    .action(async (first: string, second: string, options: unknown) => {
      await bridge(parseBridgeAddress(first), parseBridgeAddress(second), options, runtime);
    });
}

async function bridge(a: BridgeAddress, b: BridgeAddress, options: unknown, runtime: Runtime): Promise<void> {
  const { output } = commonFrom(options, runtime);
  const { once } = Options.parse(options);
  await using pump = await openPump(options, output.log);
  const shared = {
    once,
    pump,
    log: output.log,
    signal: runtime.signal,
    onEvent: (event: BridgeEvent) => report(event, output),
  };
  await using running = await open(a, b, shared);
  output.event({
    event: "ready",
    command: "bridge",
    a: listening(running, "a") ?? format(a),
    b: listening(running, "b") ?? format(b),
  });
  output.note(`bridging ${format(a)} and ${format(b)}${once ? " once" : "; Ctrl-C ends it"}`);
  await Promise.race([running.done, untilAborted(runtime.signal)]);
}

interface Running extends AsyncDisposable {
  /** Resolves when `--once` has been served; rejects when it cannot be. */
  readonly done: Promise<unknown>;
}

/** What all three forms report; `a` is the first address on the command line. */
type BridgeEvent =
  | { readonly type: "paired"; readonly pair: string; readonly a: string; readonly b: string }
  | {
      readonly type: "closed";
      readonly pair: string;
      readonly a: string;
      readonly b: string;
      readonly aToB: number;
      readonly bToA: number;
      readonly outcome: string;
    };
