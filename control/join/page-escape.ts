const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Longest value that a stranger may have shown on the page. */
const longestValue = 120;

/** Text for HTML content and for attributes in quotes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? "");
}

/**
 * A value that somebody else chose, made fit to be shown: control and format characters (which could reorder or
 * hide text, Unicode UAX #9) and lone surrogates become a visible mark, and its length is bounded.
 */
export function plainText(value: string): string {
  const visible = value
    .normalize("NFC")
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, "\u{FFFD}")
    .trim();
  const characters = Array.from(visible);
  return characters.length > longestValue ? `${characters.slice(0, longestValue).join("")}…` : visible;
}
