/**
 * Who of those that wait gives way to one more from this source, when there is no room: the oldest of the source of
 * which most wait, if those are more than its own; else nobody.
 */
export function givesWay<T extends { readonly source: string }>(
  waiting: readonly T[],
  source: string,
): T | undefined {
  const counts = new Map<string, number>();
  for (const one of waiting) counts.set(one.source, (counts.get(one.source) ?? 0) + 1);
  const most = Math.max(...counts.values());
  if (most <= (counts.get(source) ?? 0)) return undefined;
  return waiting.find((one) => counts.get(one.source) === most);
}
