/** What an attacker writes where a proxy puts an address. */
// prettier-ignore
const written = [
  "unknown", "_hidden", "localhost", "evil.example", "127.1", "0177.0.0.1", "2130706433", "0x7f.1",
  "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4/8", "1.2.3.4:", "1.2.3.4:x", "1.2.3.4:123456",
  "[::1", "::1]", "[]", "[::g]", ":::", "1::2::3", "fe80::1%eth0", "::1%x", "[fe80::1%25eth0]",
  "for=192.0.2.1", '"192.0.2.1"', "192.0.2.1;rm", "$(id)", "a[$(id)]", "-lcsh", "\u009b31m", "\u0085",
  "x".repeat(4_000), "9".repeat(400), "192.0.2.1 192.0.2.2", "192.0.2.1\t", "[192.0.2.1]", "ipv6:::1",
];

/** One hostile hop: something above as it is, or with a character taken out, doubled or changed. */
export function hostileHop(random: () => number): string {
  const below = (n: number): number => Math.floor(random() * n);
  const text = written[below(written.length)] ?? "";
  const at = below(text.length);
  const [head, tail] = [text.slice(0, at), text.slice(at + 1)];
  const changed = [
    text,
    head + tail,
    head + text.slice(at, at + 1) + text.slice(at),
    `${head}${randomCharacter()}${tail}`,
  ];
  return changed[below(changed.length)] ?? text;

  function randomCharacter(): string {
    return String.fromCodePoint(33 + below(222));
  }
}
