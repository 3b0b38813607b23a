import { Option } from "commander";
import type { Command } from "commander";
import * as z from "zod";
import type { RouteOptions } from "../agent/relay-route.ts";
import type { Runtime } from "./runtime.ts";

const Transport = z.object({ transport: z.enum(["auto", "tcp", "websocket"]).default("auto") });

/** Adds the option of a command that dials relays. */
export function withTransportOption(command: Command): Command {
  return command.addOption(
    new Option("--transport <kind>", "how relays are reached; auto goes inside a WebSocket when it must")
      .choices(["auto", "tcp", "websocket"])
      .default("auto"),
  );
}

/** How the command gets out: through the proxies of the environment, in the transport that it was told. */
export function outboundFrom(options: unknown, { proxies }: Runtime): RouteOptions {
  return { proxies, transport: Transport.parse(options).transport };
}
