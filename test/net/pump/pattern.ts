/** A byte stream that is known in advance: byte `n` of stream `tag` has one right value. */
export interface Pattern {
  /** The bytes from `offset` on. */
  bytes(offset: number, length: number): Buffer;
  /** Throws when `chunk` is not what the stream has at `offset`. */
  check(offset: number, chunk: Buffer): void;
}

/** The stream number `tag`; streams of different tags differ nearly everywhere, and none looks like itself shifted. */
export function createPattern(tag: number): Pattern {
  const pool = fillPool(tag);
  return {
    bytes(offset, length) {
      const result = Buffer.allocUnsafe(length);
      for (const [at, part] of parts(offset, length)) part.copy(result, at);
      return result;
    },
    check(offset, chunk) {
      for (const [at, part] of parts(offset, chunk.length)) {
        if (part.compare(chunk, at, at + part.length) !== 0) {
          throw new Error(`stream ${tag}: wrong bytes within ${part.length} bytes of offset ${offset + at}`);
        }
      }
    },
  };

  function* parts(offset: number, length: number): Generator<[number, Buffer]> {
    for (let at = 0; at < length;) {
      const start = (offset + at) % poolBytes;
      const part = pool.subarray(start, Math.min(poolBytes, start + length - at));
      yield [at, part];
      at += part.length;
    }
  }
}

/** A prime, so that a stream never repeats in step with anybody's buffers. */
const poolBytes = 65_521;

function fillPool(tag: number): Buffer {
  const pool = Buffer.allocUnsafe(poolBytes);
  let state = (tag + 1) * 2_654_435_761;
  for (let at = 0; at < poolBytes; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    pool[at] = state >>> 24;
  }
  return pool;
}
