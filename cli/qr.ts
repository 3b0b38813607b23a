import { encode } from "uqr";

/** Modules of white around the symbol: scanners need four (ISO/IEC 18004, "quiet zone"). */
const quietZone = 4;

/** By upper and lower module, dark or not: a terminal cell is about twice as high as wide, so it holds two. */
const cells = { light: { light: "█", dark: "▀" }, dark: { light: "▄", dark: " " } } as const;

/** White on black of the fixed 256-color palette, which themes leave alone (ECMA-48 SGR). */
const whiteOnBlack = "\u001B[38;5;231;48;5;16m";
const plain = "\u001B[0m";

/**
 * A text, such as an invitation's URL, as a QR code of half blocks, one line each two rows, with a final newline.
 * Drawn light on dark. `color` fixes these two, so that every scanner reads it in a light terminal too;
 * without it a light terminal shows the inverse, which some scanners do not read.
 */
export function formatQr(text: string, { color = false }: { readonly color?: boolean } = {}): string {
  const { data, size } = encode(text, { ecc: "M", border: quietZone });
  const shade = (row: number, column: number): "light" | "dark" => (data[row]?.[column] ? "dark" : "light");
  const lines: string[] = [];
  for (let row = 0; row < size; row += 2) {
    let line = "";
    for (let column = 0; column < size; column += 1)
      line += cells[shade(row, column)][shade(row + 1, column)];
    lines.push(color ? `${whiteOnBlack}${line}${plain}\n` : `${line}\n`);
  }
  return lines.join("");
}
