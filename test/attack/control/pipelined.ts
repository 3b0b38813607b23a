import { connect } from "node:net";

/** Requests that are on their way at once on one connection. */
const depth = 64;
const statusLine = Buffer.from("HTTP/1.1 ");
/** Up to the end of the status. */
const answerStart = statusLine.length + 3;

/**
 * Sends requests over one connection at a time, `depth` of them at once, and counts the answers by status. What a
 * connection that was ended left unanswered is sent again over the next one.
 */
export async function sendPipelined(port: number, requests: Iterator<string>): Promise<Map<number, number>> {
  const counts = new Map<number, number>();
  let unanswered: string[] = [];
  let answered = 0;
  do {
    unanswered = await sendOnce(port, unanswered, requests, counts);
    const before = answered;
    answered = [...counts.values()].reduce((sum, count) => sum + count, 0);
    if (answered === before) throw new Error(`no answer any more, after ${answered}`);
  } while (unanswered.length > 0);
  return counts;
}

/** Gives the requests that were not answered. */
async function sendOnce(
  port: number,
  again: readonly string[],
  requests: Iterator<string>,
  counts: Map<number, number>,
): Promise<string[]> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  const waiting = [...again];
  let rest = Buffer.alloc(0);

  function fill(): void {
    const batch: string[] = [];
    while (waiting.length + batch.length < depth) {
      const next = requests.next();
      if (next.done) break;
      batch.push(next.value);
    }
    waiting.push(...batch);
    if (batch.length > 0) socket.write(batch.join(""));
    else if (waiting.length === 0) socket.end();
  }

  function read(chunk: Buffer): void {
    const bytes = Buffer.concat([rest, chunk]);
    let end = 0;
    let answered = 0;
    for (let at = bytes.indexOf(statusLine); at >= 0 && at + answerStart <= bytes.length;) {
      end = at + answerStart;
      const status = Number(bytes.toString("latin1", end - 3, end));
      counts.set(status, (counts.get(status) ?? 0) + 1);
      answered += 1;
      at = bytes.indexOf(statusLine, end);
    }
    rest = bytes.subarray(Math.max(end, bytes.length - answerStart + 1));
    waiting.splice(0, answered);
    if (waiting.length <= depth / 2) fill();
  }

  // The close event follows.
  socket.on("error", () => {}).on("data", read);
  socket.write(waiting.join(""));
  fill();
  await new Promise((resolve) => socket.once("close", resolve));
  return waiting;
}
