/** Languages in which an invitation is explained. */
export const languages = ["en", "fr"] as const;
export type Language = (typeof languages)[number];

/** More of an `Accept-Language` header than any browser sends is not read. */
const longestHeader = 1_000;

/**
 * The language of the page: what the reader chose (`?lang=fr`), else the best match of the browser's
 * `Accept-Language` (RFC 9110 section 12.5.4), else English.
 */
export function pickLanguage(acceptLanguage: string | undefined, query: string | undefined): Language {
  const chosen = languages.find((language) => language === query?.toLowerCase());
  return chosen ?? bestMatch(acceptLanguage?.slice(0, longestHeader) ?? "") ?? "en";
}

/** The first of the languages with the highest weight; `q=0` means not acceptable. */
function bestMatch(header: string): Language | undefined {
  let best: { language: Language; weight: number } | undefined;
  for (const range of header.split(",")) {
    const [tag = "", ...parameters] = range
      .toLowerCase()
      .split(/\s*;\s*/)
      .map((each) => each.trim());
    const language = languages.find((each) => tag === each || tag.startsWith(`${each}-`));
    const weight = weightOf(parameters);
    if (language && weight > (best?.weight ?? 0)) best = { language, weight };
  }
  return best?.language;
}

function weightOf(parameters: readonly string[]): number {
  const weight = parameters
    .map((each) => /^\s*q\s*=\s*([\d.]+)\s*$/.exec(each)?.[1])
    .find((each) => each !== undefined);
  const value = weight === undefined ? 1 : Number(weight);
  return value >= 0 && value <= 1 ? value : 0;
}
