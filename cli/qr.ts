import { encode } from "uqr";

/** Modules of white around the symbol: scanners need four (ISO/IEC 18004, "quiet zone"). */
const quietZone = 4;

/** By upper and lower module, dark or not: a terminal cell is about twice as high as wide, so it holds two. */
const cells = { light: { light: "█", dark: "▀" }, dark: { light: "▄", dark: " " } } as const;

/**
 * A text, such as an invitation's URL, as a QR code of half blocks, one line each two rows, with a final newline.
 * Drawn light on dark as most terminals are; scanners of today read the inverse too.
 */
export function formatQr(text: string): string {
  const { data, size } = encode(text, { ecc: "M", border: quietZone });
  const shade = (row: number, column: number): "light" | "dark" => (data[row]?.[column] ? "dark" : "light");
  const lines: string[] = [];
  for (let row = 0; row < size; row += 2) {
    let line = "";
    for (let column = 0; column < size; column += 1)
      line += cells[shade(row, column)][shade(row + 1, column)];
    lines.push(`${line}\n`);
  }
  return lines.join("");
}
