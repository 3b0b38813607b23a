/**
 * The few encodings of a certificate (ITU-T X.690, distinguished encoding rules). Each takes what it holds and gives
 * tag, length and content.
 */
export function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}

export function set(...parts: readonly Buffer[]): Buffer {
  return tagged(0x31, Buffer.concat(parts));
}

/** An unsigned integer, most significant byte first. */
export function integer(bytes: Buffer): Buffer {
  const needsZero = ((bytes[0] ?? 0) & 0x80) !== 0;
  return tagged(0x02, needsZero ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
}

/** Whole bytes. */
export function bitString(bytes: Buffer): Buffer {
  return tagged(0x03, Buffer.concat([Buffer.of(0), bytes]));
}

export function utf8String(text: string): Buffer {
  return tagged(0x0c, Buffer.from(text, "utf8"));
}

/** A moment as `YYYYMMDDHHMMSSZ`. */
export function generalizedTime(text: string): Buffer {
  return tagged(0x18, Buffer.from(text, "latin1"));
}

/** The content of a structure that its context names by a number. */
export function context(number: number, content: Buffer): Buffer {
  return tagged(0xa0 | number, content);
}

/** An object identifier, from its dotted numbers. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return tagged(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(value: number): number[] {
  const digits = [value & 0x7f];
  for (let left = value >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80);
  return digits;
}

function tagged(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.of(tag), length(content.length), content]);
}

function length(size: number): Buffer {
  if (size < 0x80) return Buffer.of(size);
  return size < 0x100 ? Buffer.of(0x81, size) : Buffer.of(0x82, size >> 8, size & 0xff);
}
