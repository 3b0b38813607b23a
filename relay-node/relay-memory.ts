import { join } from "node:path";
import type { JSONWebKeySet } from "jose";
import * as z from "zod";
import type { Log } from "../net/log.ts";
import { RdvError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { EndedKey, EndedSession } from "../protocol/signals.ts";
import { makeStateDirectory } from "../state/directory.ts";
import { readStateFile } from "../state/read-file.ts";
import { saveStateFile } from "../state/write-file.ts";

/** What the control plane last said, kept over a restart. */
const Memory = z.object({
  jwks: z.object({ keys: z.array(z.record(z.string(), z.unknown())) }).nullable(),
  ended: z.array(EndedSession),
  endedKeys: z.array(EndedKey).default([]),
});

/** What a relay knows of the control plane, also while that is away. */
export interface RelayMemory {
  /** The control plane's public keys; undefined before the first contact. */
  jwks(): JSONWebKeySet | undefined;
  setJwks(jwks: JSONWebKeySet): void;
  /** Whether the session has ended; remembered for as long as its last ticket is taken. */
  hasEnded(session: string): boolean;
  addEnded(ended: readonly EndedSession[]): void;
  /** The same of a key, and the tickets that it asked for. */
  hasKeyEnded(key: string): boolean;
  addEndedKey(ended: EndedKey): void;
  /** Resolves when everything said so far is on disk. */
  saved(): Promise<void>;
}

/**
 * Loads the relay's memory from `stateDir`; an unreadable file counts as empty and is replaced at the next contact.
 * Throws `failed` for a directory that cannot be used.
 */
export function openRelayMemory(stateDir: string, log: Log, now: () => number): RelayMemory {
  const file = join(stateDir, "relay-memory.json");
  makeStateDirectory(stateDir);
  const loaded = load(file, log);
  let jwks: JSONWebKeySet | undefined = loaded.jwks ?? undefined;
  const ended = new Map(loaded.ended.map(({ session, until }) => [session, until]));
  const endedKeys = new Map(loaded.endedKeys.map(({ key, until }) => [key, until]));
  /** Tickets are taken a little longer than they live. */
  const mayCome = (until: number): boolean => (until + limits.ticketSkewSeconds) * 1_000 >= now();
  const save = createSaver(file, log, () => {
    for (const map of [ended, endedKeys]) for (const [id, until] of map) if (!mayCome(until)) map.delete(id);
    return JSON.stringify({
      jwks: jwks ?? null,
      ended: [...ended].map(([session, until]) => ({ session, until })),
      endedKeys: [...endedKeys].map(([key, until]) => ({ key, until })),
    });
  });
  return {
    jwks: () => jwks,
    setJwks(next) {
      if (JSON.stringify(next) === JSON.stringify(jwks)) return;
      jwks = next;
      save.soon();
    },
    hasEnded: (session) => mayCome(ended.get(session) ?? 0),
    addEnded(added) {
      for (const { session, until } of added) ended.set(session, Math.max(until, ended.get(session) ?? 0));
      if (added.length > 0) save.soon();
    },
    hasKeyEnded: (key) => mayCome(endedKeys.get(key) ?? 0),
    addEndedKey({ key, until }) {
      endedKeys.set(key, Math.max(until, endedKeys.get(key) ?? 0));
      save.soon();
    },
    saved: save.done,
  };
}

function load(file: string, log: Log): z.infer<typeof Memory> {
  const empty = { jwks: null, ended: [], endedKeys: [] };
  try {
    const text = readStateFile(file, { secret: false });
    return text === undefined ? empty : Memory.parse(JSON.parse(text));
  } catch (error) {
    const why = error instanceof RdvError ? error.message : (error as Error).name; // JSON and zod throw Errors
    log.warn("relay memory not readable, starting without it", { file, error: why });
    return empty;
  }
}

/** Writes the newest content, one write at a time, whole files only. */
function createSaver(file: string, log: Log, content: () => string) {
  let wanted = false;
  let writing: Promise<void> | undefined;
  async function write(): Promise<void> {
    while (wanted) {
      wanted = false;
      try {
        await saveStateFile(file, content());
      } catch (error) {
        log.warn("relay memory not written", { file, error: (error as Error).message });
      }
    }
    writing = undefined;
  }
  return {
    soon(): void {
      wanted = true;
      writing ??= Promise.resolve().then(write);
    },
    done: async (): Promise<void> => await writing,
  };
}
