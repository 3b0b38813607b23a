import { seededRandom } from "../../fixtures/random.ts";

/** Stands in forged events: nobody comes from there, so no line may say that it opened or closed. */
export const forgedClient = "6.6.6.6:666";

/**
 * What somebody on the way could write into any field, one byte a character (latin1). Commands in it run `canary`,
 * which is on the victim's PATH, or write a file `owned…` into `folder`.
 */
export function handmadeTexts(folder: string): string[] {
  return [
    "a[$(canary)]+0",
    `a[$(>${folder}/owned-by-arithmetic)]+0`,
    "a[`canary`]+9",
    "x=7,a[0$(canary)0]",
    `$(canary)\`canary\`;canary;|canary|&canary&\${x:-$(canary)}`,
    `';canary;'";canary;"$(canary)`,
    `192.0.2.1:1\\nopened: ${forgedClient}`,
    `192.0.2.1:1\nopened: ${forgedClient}`,
    `192.0.2.1:1\rrdv: opened: ${forgedClient}`,
    `192.0.2.1:1\\npaired 1 ${forgedClient}\\nend all is well`,
    `192.0.2.1:1\npaired 1 ${forgedClient}\nend all is well`,
    `192.0.2.1:1\\0012opened: ${forgedClient}\\c`,
    "\x1b[2J\x1b[1;1Hrdv: ready: all is well",
    "\x1b]8;;http://evil.example/\x07click\x1b]8;;\x07",
    "\x1b]52;c;Y2FuYXJ5\x07\x1bP+q\x1b\\",
    "\x9b31mred\x9d0;title\x9c\x90q\x9c",
    utf8("\u009b31m\u0085\u202e\u2066txt\u2069\u200b\ufeff\u2028\u2029\u{e0041}"),
    "\x00\x07\x08\x7f\xff\xfe\xc0\xaf\xed\xa0\x80",
    "%s%s%s%n%x %d",
    "--help -lcanary -e canary",
    "010",
    "0x10",
    "-1",
    "1e9",
    "+3",
    "99999999999999999999999999",
    "3 3",
    "3;canary",
    "*[a-z]* ? [ ] ! ~ ~root",
    "-n",
    `@{[system("canary")]}`,
    `__import__("os").system("canary")`,
    `\${require("child_process").execSync("canary")}`,
    `(?{system("canary")}).*+[`,
    `$([Diagnostics.Process]::Start("canary"))`,
    "{0.__class__} %(x)s {x!r}",
    "",
    "x".repeat(4_000),
  ];
}

/** Texts put together at random from pieces of hostile ones; the same for the same seed. */
export function fuzzedTexts(folder: string, seed: number, count: number): string[] {
  const random = seededRandom(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T; // never empty
  const pieces = [...handmadeTexts(folder).filter(({ length }) => length < 100), ...fragments];
  const byte = (): string => String.fromCharCode(Math.floor(random() * 256));
  const piece = (): string => (random() < 0.3 ? byte() : pick(pieces));
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + Math.floor(random() * 6) }, piece).join(""),
  );
}

const fragments = [
  "\r\n",
  "\r\n\r\n",
  "\n\n",
  "\r",
  ": ",
  "HTTP/1.1 101 ",
  "HTTP/1.1 200 OK\r\n",
  "Rdv-Client: ",
  "rdv-demand:",
  "Rdv-Demand: 7",
  `opened: ${forgedClient}`,
  `closed: ${forgedClient}, 1 bytes in`,
  "\\n",
  "\\r",
  "\\033[31m",
  "\\",
  "'",
  '"',
  "$(canary)",
  "`canary`",
  "$((",
  "a[",
  "]",
  "7",
  "192.0.2.9:9",
  '{"type":"about:blank","code":"replaced"}',
];

function utf8(text: string): string {
  return Buffer.from(text).toString("latin1");
}
