/** What can be looked at, in the order in which it is; scripts depend on these names. */
export type CheckName =
  | "configuration"
  | "state"
  | "descriptors"
  | "pump"
  | "addresses"
  | "proxy"
  | "names"
  | "control"
  | "certificate"
  | "clock"
  | "token"
  | "relays"
  | "relay-connect"
  | "relay-tls"
  | "relay-http"
  | "relay-upgrade"
  | "relay-websocket"
  | "nat"
  | "target";

/** `skip`: it could not be looked at, and the detail says why. */
export type Status = "ok" | "warn" | "fail" | "skip";

/** What one check has found. */
export interface Finding {
  readonly name: CheckName;
  readonly status: Status;
  /** What was looked at and what was measured, in one line. */
  readonly detail: string;
  /** What to do next; with every `warn` and `fail`. */
  readonly advice?: string;
}

export function ok(name: CheckName, detail: string): Finding {
  return { name, status: "ok", detail };
}

export function skip(name: CheckName, detail: string): Finding {
  return { name, status: "skip", detail };
}

export function warn(name: CheckName, detail: string, advice: string): Finding {
  return { name, status: "warn", detail, advice };
}

export function fail(name: CheckName, detail: string, advice: string): Finding {
  return { name, status: "fail", detail, advice };
}
