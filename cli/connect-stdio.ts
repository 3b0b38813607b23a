import { forwardStdio } from "../agent/connect/forward-stdio.ts";
import { RdvError } from "../protocol/errors.ts";
import type { Client } from "./open-client.ts";
import type { Runtime } from "./runtime.ts";

/** One connection over standard input and output; throws when it does not end cleanly. */
export async function connectStdio({ connector }: Client, { signal, takeStdio }: Runtime): Promise<void> {
  const opened = await connector.open(signal);
  const outcome = await forwardStdio(opened, takeStdio(), signal);
  if (outcome === "reset_by_agent")
    throw new RdvError("failed", "the connection was reset by the other side");
  if (outcome === "reset_by_client") throw new RdvError("failed", "nobody reads the output any more");
}
