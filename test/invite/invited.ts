import assert from "node:assert/strict";
import { startRdv } from "../fixtures/rdv.ts";
import type { Rdv } from "../fixtures/rdv.ts";

/** A running `rdv invite`. */
export interface Inviting extends AsyncDisposable {
  readonly rdv: Rdv;
  readonly code: string;
  readonly url: string;
  readonly line: string;
  readonly session: string;
  readonly address: string;
  /** `host:port` of the raw port; empty when there is none. */
  readonly raw: string;
  readonly rawLine: string;
  /** Public port of the session, on 127.0.0.1 in these tests. */
  readonly port: number;
}

/** Starts `rdv invite TARGET` against a running `up`, and waits until there is a line to send. */
export async function invite(
  place: { readonly stateDir: string },
  target: string | number,
  ...more: readonly string[]
): Promise<Inviting> {
  await using held = new AsyncDisposableStack();
  const rdv = held.use(startRdv(["invite", String(target), ...more], place));
  const { code, url, line, session, address, raw = "", rawLine = "" } = await rdv.event("invited");
  assert.ok(typeof code === "string" && typeof url === "string" && typeof line === "string");
  assert.ok(session && address && typeof raw === "string" && typeof rawLine === "string");
  const port = Number(address.split(":").at(-1));
  const stack = held.move();
  return {
    rdv,
    code,
    url,
    line,
    session,
    address,
    raw,
    rawLine,
    port,
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}
