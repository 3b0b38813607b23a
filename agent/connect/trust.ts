import type { ClientTickets } from "../../protocol/connect.ts";
import { RdvError } from "../../protocol/errors.ts";

/** The keys that agents had before, as `ssh` knows hosts. */
export interface KnownAgents {
  get(session: string): string | undefined;
  remember(session: string, key: string): void;
}

interface TrustDeps {
  /** The session as the user named it: what the control plane calls it must not lead to another key. */
  readonly session: string;
  /** Of the key that the user named, if any. */
  readonly pinned: string | undefined;
  readonly known: KnownAgents;
  /** A key was seen for the first time; said once it is proven. */
  readonly onFirstSight: (session: string, key: string) => void;
}

/** Decides which key an agent must have. The control plane's word counts at first sight alone. */
export interface Trust {
  /** Throws `untrusted` or `unsupported`, and says what to do. */
  expected(tickets: Pick<ClientTickets, "agentKey">): string;
  /** The agent has proved to have that key. */
  proven(key: string): void;
}

export function createTrust({ session: name, pinned, known, onFirstSight }: TrustDeps): Trust {
  return {
    expected({ agentKey }) {
      const wanted = pinned ?? known.get(name);
      if (agentKey === null) throw noKey(name, wanted !== undefined);
      if (wanted === undefined || wanted === agentKey) return agentKey;
      throw pinned === undefined ? changed(name, agentKey, wanted) : another(name, agentKey, wanted);
    },
    proven(key) {
      const before = known.get(name);
      if (before === key) return;
      if (before === undefined && pinned === undefined) onFirstSight(name, key);
      known.remember(name, key);
    },
  };
}

function noKey(name: string, hadOne: boolean): RdvError {
  const advice = "to connect without encryption from end to end, give --plain";
  if (!hadOne)
    return new RdvError(
      "unsupported",
      `the agent of ${name} has no key to encrypt from end to end; ${advice}`,
    );
  return new RdvError(
    "untrusted",
    `the agent of ${name} shows no key, and one is known; if that is right: ${advice}`,
  );
}

function changed(name: string, now: string, before: string): RdvError {
  return new RdvError(
    "untrusted",
    `the agent of ${name} has another key than before (${now}, not ${before}): somebody may be in between; ` +
      `if its machine was set up anew, compare with what it shows there, and connect once as ${name}#${now}`,
  );
}

function another(name: string, now: string, pinned: string): RdvError {
  return new RdvError(
    "untrusted",
    `the agent of ${name} has the key ${now}, not ${pinned}: somebody may be in between, or the address is an old one`,
  );
}
