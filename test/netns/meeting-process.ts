import { createInterface } from "node:readline";
import { openMeeting } from "../../net/direct/meeting.ts";
import type { Meeting } from "../../net/direct/meeting.ts";
import { readExactly } from "../../net/direct/read-exactly.ts";
import type { Candidate } from "../../protocol/connect.ts";

// One side of meetings, one after the other. Standard input: {"open":[{"host":"…","port":1,"tls":null}]} is answered by
// {"mapping":"…","candidates":[…],"ms":1}, and {"meet":[candidates],"chooses":true} by {"outcome":"…","ms":1,"from":"…"}.
interface Order {
  readonly open?: readonly { readonly host: string; readonly port: number; readonly tls: null }[];
  readonly meet?: readonly Candidate[];
  readonly chooses?: boolean;
}

const never = new AbortController().signal;
let meeting: Meeting | undefined;

createInterface({ input: process.stdin }).on("line", (line) => {
  void obey(JSON.parse(line) as Order).then((answer) => process.stdout.write(`${JSON.stringify(answer)}\n`)); // written by the test
});

async function obey({ open, meet = [], chooses = false }: Order): Promise<unknown> {
  const startedAt = performance.now();
  if (open) {
    meeting = await openMeeting({ places: open, signal: never });
    return { mapping: meeting.mapping, candidates: meeting.candidates, ms: performance.now() - startedAt };
  }
  let from: string | undefined;
  let ms = 0;
  const outcome = await meeting?.meet({
    targets: meet,
    chooses,
    signal: never,
    // Both sides speak, so a connection counts only when it carries bytes both ways.
    prove: async (socket, signal) => {
      socket.write("hello");
      await readExactly(socket, 5, signal);
      return socket;
    },
    onMet: (socket) => {
      from ??= `${socket.remoteAddress}`;
      ms ||= performance.now() - startedAt;
      socket.on("error", () => {});
      socket.resume();
      if (chooses) socket.end();
      else socket.once("end", () => socket.end());
    },
  });
  await meeting?.[Symbol.asyncDispose]();
  return { outcome, ms, from };
}
