import type * as z from "zod";
import type { SyncKv } from "./platform.ts";

/** One typed value in an object's storage. */
export interface Cell<T> {
  read(): T | undefined;
  write(value: T): void;
  clear(): void;
}

/** A family of typed values under one key prefix. */
export interface Table<T> {
  get(key: string): T | undefined;
  set(key: string, value: T): void;
  delete(key: string): void;
  entries(options?: { startAfter?: string; limit?: number }): Iterable<[string, T]>;
}

/** A cell whose value is checked against `schema` on every read: what an older version stored fails loudly, not subtly. */
export function createCell<T>(kv: SyncKv, key: string, schema: z.ZodType<T>): Cell<T> {
  return {
    read: () => parseStored(schema, kv.get(key)),
    write: (value) => kv.put(key, value),
    clear: () => void kv.delete(key),
  };
}

/** A table whose keys are `<prefix>:<key>`, checked like a cell. */
export function createTable<T>(kv: SyncKv, prefix: string, schema: z.ZodType<T>): Table<T> {
  const full = (key: string): string => `${prefix}:${key}`;
  return {
    get: (key) => parseStored(schema, kv.get(full(key))),
    set: (key, value) => kv.put(full(key), value),
    delete: (key) => void kv.delete(full(key)),
    *entries({ startAfter, limit } = {}) {
      const page = {
        prefix: full(""),
        ...(startAfter === undefined ? {} : { startAfter: full(startAfter) }),
        ...(limit === undefined ? {} : { limit }),
      };
      for (const [key, value] of kv.list(page)) yield [key.slice(prefix.length + 1), schema.parse(value)];
    },
  };
}

function parseStored<T>(schema: z.ZodType<T>, stored: unknown): T | undefined {
  return stored === undefined || stored === null ? undefined : schema.parse(stored);
}
