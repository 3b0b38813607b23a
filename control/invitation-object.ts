import * as z from "zod";
import { AccountId, SessionId } from "../protocol/api.ts";
import { InvitationDetails, Joined } from "../protocol/invitations.ts";
import type { Claim, WatchSignal } from "../protocol/invitations.ts";
import { limits } from "../protocol/limits.ts";
import { pingText, pongText } from "../protocol/signals.ts";
import { createCell } from "./cell.ts";
import type { Admission } from "./invited-session.ts";
import type { Outcome, Refusal } from "./outcome.ts";
import { refuse } from "./outcome.ts";
import type { DurableModule, ObjectContext, ObjectSocket } from "./platform.ts";
import { problemResponse } from "./problems.ts";
import { createSerial } from "./serial.ts";
import type { Services } from "./services.ts";
import { sessionObjectName } from "./services.ts";
import { sha256 } from "./keys.ts";

const Invitation = z.object({
  owner: AccountId,
  session: SessionId,
  details: InvitationDetails,
  /** Milliseconds since 1970. */
  expiresAt: z.number(),
});
type Invitation = z.infer<typeof Invitation>;

/** `machine` is the hash of what the joining machine says of itself: only that machine may come again. */
const Use = z.object({ machine: z.string(), by: Joined, times: z.number().int() });

interface ClaimInput {
  readonly claim: Claim;
  /** Address of the machine that joins. */
  readonly ip: string;
}

/** One invitation, in the object that is named by the hash of its code. */
export interface InvitationVerbs {
  /** False: the code is in use already. */
  create(invitation: Invitation): boolean;
  /** What somebody with the code may know; null when there is no such invitation, or it is over. */
  view(input: null): { readonly details: InvitationDetails; readonly used: boolean } | null;
  /** Exchanges the code for a ticket, for one machine. */
  claim(input: ClaimInput): Promise<Outcome<Admission>>;
  presence(present: boolean): void;
  /** The session is over. */
  end(reason: string): Promise<void>;
}

/** The object of one invitation: the code's single use, and the inviter's live view of it. */
export function createInvitationObject(
  ctx: ObjectContext,
  { env, now }: Services,
): DurableModule<InvitationVerbs> {
  const invitation = createCell(ctx.kv, "invitation", Invitation);
  const use = createCell(ctx.kv, "use", Use);
  /** Whether somebody serves, be it by a raw port that nobody has to claim. */
  const presence = createCell(ctx.kv, "presence", z.boolean());
  const inTurn = createSerial();

  function readOpen(): Invitation | undefined {
    const found = invitation.read();
    return found && found.expiresAt > now() ? found : undefined;
  }

  async function claim({ claim: { machine: name, ...who }, ip }: ClaimInput): Promise<Outcome<Admission>> {
    const found = readOpen();
    if (!found) return noInvitation;
    const machine = await sha256(name);
    const before = use.read();
    if (before && before.machine !== machine) return usedByAnother;
    const session = env.SESSIONS.getByName(sessionObjectName(found.owner, found.session));
    const admitted = await session.admit({ agentKey: who.fingerprint ?? null });
    if (!admitted.ok || !readOpen()) return noInvitation;
    const times = (before?.times ?? 0) + 1;
    const used = { machine, times, by: { ...who, ip, at: now() } };
    use.write(used);
    tell({ type: "joined", by: used.by, times });
    return admitted;
  }

  function tell(signal: WatchSignal): void {
    for (const socket of ctx.sockets()) send(socket, signal);
  }

  async function end(reason: string): Promise<void> {
    for (const socket of ctx.sockets()) {
      send(socket, { type: "ended", reason });
      socket.close(1_000, "ended");
    }
    await ctx.erase();
  }

  return {
    verbs: {
      create: (input) => {
        if (readOpen()) return false;
        invitation.write(input);
        use.clear();
        presence.clear();
        // The session says when it is over; this is for the case that it cannot.
        ctx.setAlarm(input.expiresAt + limits.deadAfterMs);
        return true;
      },
      view: () => {
        const found = readOpen();
        return found ? { details: found.details, used: use.read() !== undefined } : null;
      },
      claim: async (input) => await inTurn(() => claim(input)),
      presence: (present) => {
        if (!readOpen() || (presence.read() ?? false) === present) return;
        presence.write(present);
        tell({ type: "presence", present });
      },
      end: async (reason) => await end(reason),
    },
    fetch: async (request) => {
      if (!readOpen()) return problemResponse("ended", "The invitation is over");
      const { socket, response } = ctx.accept(request);
      const used = use.read();
      if (used) send(socket, { type: "joined", by: used.by, times: used.times });
      if (used || presence.read()) send(socket, { type: "presence", present: presence.read() ?? false });
      return response;
    },
    message: async (socket, text) => {
      if (text === pingText) socket.send(pongText);
      else socket.close(1_008, "nothing but a ping is expected here");
    },
    alarm: async () => await end("its time is over"),
  };
}

function send(socket: ObjectSocket, signal: WatchSignal): void {
  socket.send(JSON.stringify(signal));
}

/** Unknown, expired and ended are told with the same words. */
export const noInvitation: Refusal = refuse(
  "not_found",
  "This invitation is over, or its code is mistyped; ask for a new one",
);
const usedByAnother: Refusal = refuse(
  "name_taken",
  "Another machine has used this invitation; ask for a new one",
);
