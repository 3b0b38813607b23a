import type { PageQuery } from "../protocol/api.ts";

interface Page<T> {
  readonly entries: T[];
  /** The cursor of the next page; absent on the last one. */
  readonly next?: string;
}

/** One page of a list that is at hand, in the order of ids. An entry that comes or goes moves no other to another page. */
export function pageOf<T extends { readonly id: string }>(all: readonly T[], query: PageQuery): Page<T> {
  const { cursor = "", limit } = query;
  const rest = all.filter(({ id }) => id > cursor).sort((a, b) => (a.id < b.id ? -1 : 1));
  const entries = rest.slice(0, limit);
  const last = entries.at(-1);
  return rest.length > limit && last ? { entries, next: last.id } : { entries };
}
