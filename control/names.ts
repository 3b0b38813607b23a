/** Numbers that are tried behind a suggested name. */
const lastNumber = 1_000;
/** A DNS label has 63 characters; this leaves room for the number. */
const longestBase = 58;

/** The suggested name, or `name-2`, `name-3` … when the ones before are taken; undefined when all of them are. */
export function chooseName(suggested: string, isTaken: (name: string) => boolean): string | undefined {
  if (!isTaken(suggested)) return suggested;
  const base = suggested.slice(0, longestBase).replace(/-+$/, "");
  for (let number = 2; number <= lastNumber; number += 1) {
    const name = `${base}-${number}`;
    if (!isTaken(name)) return name;
  }
  return undefined;
}
