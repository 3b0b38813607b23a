import { limits } from "./limits.ts";

/**
 * What steers a terminal, breaks a line or hides: control characters of both sets with DEL (ECMA-48), separators of
 * lines, halves of characters, characters that nobody can see, among them those that turn the direction of writing
 * (Unicode TR36, TR9), private and unassigned ones, and heaps of marks that reach into other lines.
 */
const hidden =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|\p{M}(?<=\p{M}{4})/gu;

/**
 * Foreign text as it may be shown: on one line, with all that is hidden written out as `\u001b`, and with an end. Every
 * line for a terminal or a log goes through it.
 */
export function printable(text: string, most: number = limits.lineCharacters): string {
  const shown = escapeHidden(text.slice(0, most));
  if (text.length <= most && shown.length <= most) return shown;
  return `${shown.slice(0, most)}…`;
}

/** Whether text is shown as it is. */
export function isPrintable(text: string): boolean {
  return text.search(hidden) < 0;
}

/** A value as one line of JSON in which nothing is hidden; it reads back as the same value. */
export function printableJson(value: unknown): string {
  return escapeHidden(JSON.stringify(value));
}

function escapeHidden(text: string): string {
  return text.replaceAll(hidden, (found) =>
    Array.from({ length: found.length }, (_, i) => unit(found.charCodeAt(i))).join(""),
  );
}

/** A UTF-16 code unit as JSON and JavaScript write it. */
function unit(code: number): string {
  return `\\u${code.toString(16).padStart(4, "0")}`;
}
