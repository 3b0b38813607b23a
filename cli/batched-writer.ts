/** Writes whole turns of the event loop at once. */
export interface BatchedWriter {
  /** Takes text that is written when this turn of the event loop has ended. */
  readonly write: (text: string) => void;
  /** Writes what was taken, now: for a process that exits. */
  readonly flush: () => void;
}

/** Makes a writer in front of `write`: under load, a system call for every line costs more than serving the connection. */
export function createBatchedWriter(write: (text: string) => void): BatchedWriter {
  let taken = "";

  function flush(): void {
    const text = taken;
    taken = "";
    if (text !== "") write(text);
  }

  return {
    write(text) {
      if (taken === "") setImmediate(flush);
      taken += text;
    },
    flush,
  };
}
