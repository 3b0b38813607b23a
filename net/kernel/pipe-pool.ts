import { at } from "./at.ts";
import type { Libc } from "./libc.ts";
import { controlWords, type SharedTable } from "./shared-table.ts";

/** Pipes that directions borrow while bytes are in flight. A pipe has a number; its descriptors are in the table. */
export interface PipePool {
  /** An empty pipe's number, or -1 when no more may be opened. */
  borrow(): number;
  /** Takes in a pipe that somebody else opened. */
  adopt(readEnd: number, writeEnd: number): number;
  /** Takes back a pipe that is empty. */
  giveBack(pipe: number): void;
  /** Closes idle pipes that a burst left behind. */
  trim(): void;
  /** Closes a pipe that may still hold somebody's bytes. */
  discard(pipe: number): void;
  readEnd(pipe: number): number;
  writeEnd(pipe: number): number;
  closeAll(): void;
}

interface PoolDeps {
  readonly libc: Libc;
  readonly table: SharedTable;
  /** Pipes opened at most; each is two descriptors that pairs cannot have. */
  readonly most: number;
}

/** An empty pool. */
export function createPipePool({ libc, table, most }: PoolDeps): PipePool {
  const { pipeReadEnds: readEnds, pipeWriteEnds: writeEnds, control } = table;
  const idle: number[] = [];
  const freeNumbers: number[] = [];
  const ends = new Int32Array(2);
  let open = 0;
  let numbers = 0;

  return {
    borrow: () => idle.pop() ?? (open < most ? create() : -1),
    adopt,
    giveBack(pipe) {
      if (open > most) discard(pipe);
      else idle.push(pipe);
    },
    trim() {
      while (idle.length > keptIdle) discard(idle.shift() ?? -1);
    },
    discard,
    readEnd: (pipe) => at(readEnds, pipe),
    writeEnd: (pipe) => at(writeEnds, pipe),
    closeAll() {
      for (let pipe = 0; pipe < numbers; pipe += 1) if (at(readEnds, pipe) >= 0) discard(pipe);
    },
  };

  function create(): number {
    if (libc.pipe(ends) !== 0) return -1;
    const granted = libc.setPipeSize(at(ends, 1), open < keptIdle ? largeBytes : usualBytes);
    const pipe = adopt(at(ends, 0), at(ends, 1));
    if (granted >= usualBytes) return pipe;
    discard(pipe); // a user over their share gets pipes of two pages, and copying costs less than those
    return -1;
  }

  function adopt(readEnd: number, writeEnd: number): number {
    const pipe = freeNumbers.pop() ?? numbers++;
    readEnds[pipe] = readEnd;
    writeEnds[pipe] = writeEnd;
    control[controlWords.pipes] = numbers;
    open += 1;
    return pipe;
  }

  function discard(pipe: number): void {
    const readEnd = at(readEnds, pipe);
    const writeEnd = at(writeEnds, pipe);
    readEnds[pipe] = -1;
    writeEnds[pipe] = -1;
    libc.close(readEnd);
    libc.close(writeEnd);
    freeNumbers.push(pipe);
    open -= 1;
  }
}

/** Pipes that a worker keeps when they are idle; as many are large, which costs least CPU. */
const keptIdle = 8;

/**
 * The largest pipe that Linux gives everybody, and a size of which many fit into an unprivileged user's share of
 * 64 MiB (pipe(7), pipe-max-size and pipe-user-pages-soft).
 */
const largeBytes = 1024 * 1024;
const usualBytes = 256 * 1024;
