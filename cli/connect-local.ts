import { userInfo } from "node:os";
import { startForward } from "../agent/connect/forward.ts";
import type { ForwardEvent } from "../agent/connect/forward.ts";
import { parseTarget } from "../agent/target.ts";
import type { ClientTickets } from "../protocol/connect.ts";
import { RdvError } from "../protocol/errors.ts";
import { nextLine, splitAddress } from "./next-line.ts";
import type { Client } from "./open-client.ts";
import { openPump } from "./open-pump.ts";
import type { Output } from "./output.ts";
import type { Runtime } from "./runtime.ts";
import { untilAborted } from "./until-aborted.ts";

interface LocalRun {
  readonly local: { readonly host: string; readonly port: number };
  readonly rawOptions: unknown;
  readonly output: Output;
  readonly runtime: Runtime;
}

/** Serves a local port until it is interrupted. Throws at once when the session is not there or has a wrong key. */
export async function connectLocal(client: Client, run: LocalRun): Promise<void> {
  const { output, runtime } = run;
  const tickets = await client.source.current(runtime.signal);
  client.trust?.expected(tickets);
  client.prepare(tickets);
  await using pump = await openPump(run.rawOptions, output.log);
  const { session, name } = tickets;
  await using forward = await startForward({
    local: run.local,
    connector: client.connector,
    pump,
    log: output.log,
    onEvent: (event) => report(event, session, output),
  });
  const agentKey = client.trust ? tickets.agentKey : null;
  const line = output.json ? undefined : await lineFor(client, tickets, forward.address, output);
  output.note(
    `${forward.address} leads to ${name}${agentKey === null ? ", not encrypted from end to end" : ""}; Ctrl-C ends it`,
  );
  output.event(
    { event: "ready", command: "connect", session, name, local: forward.address, agentKey },
    line ?? forward.address,
  );
  await untilAborted(runtime.signal);
}

/** The line to use next; undefined when the control plane does not say what is exposed. */
async function lineFor(
  { api }: Client,
  { session }: ClientTickets,
  address: string,
  { log }: Output,
): Promise<string | undefined> {
  try {
    const { target } = await api.getSession(session);
    return nextLine(parseTarget(target), splitAddress(address), userInfo().username);
  } catch (error) {
    if (!(error instanceof RdvError)) throw error;
    log.debug("no line to use next", { error: error.message });
    return undefined;
  }
}

function report(event: ForwardEvent, session: string, output: Output): void {
  if (event.type === "failed") {
    const { client, error } = event;
    output.event({ event: "failed", session, client, code: error.code, error: error.message });
    return output.log.warn("no connection", { client, error: error.message });
  }
  const { type, ...fields } = event;
  output.event({ event: type, session, ...fields });
  if (event.type === "paired") return output.note(`${event.client} connected, ${event.path}`);
  output.note(
    `${event.client} left: ${event.bytesIn} bytes in, ${event.bytesOut} bytes out, ${event.outcome}`,
  );
}
