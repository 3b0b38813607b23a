import type { Ticket } from "../protocol/tickets.ts";
import { createAllowList } from "./allow-list.ts";
import type { AllowList } from "./allow-list.ts";
import { createSharedRate } from "./shared-rate.ts";
import type { SharedRate } from "./shared-rate.ts";

interface LimitsDeps {
  readonly now: () => number;
  /** Bytes that the session has moved so far. */
  readonly bytes: () => number;
  readonly onSpent: () => void;
}

/** Who may come to a session and how much it may move, as its newest ticket says. */
export interface SessionLimits extends Disposable {
  /** `allows` is the ticket's allow-list, read already. */
  take(ticket: Ticket, allows: AllowList): void;
  allows(ip: string): boolean;
  /** Counts one more client; false when this second has had enough of them, or of those of this source. */
  mayConnect(source: string): boolean;
}

/** How often the bytes are looked at: a fast session exceeds its budget by what it moves in this time. */
const lookMs = 200;

export function createSessionLimits({ now, bytes, onSpent }: LimitsDeps): SessionLimits {
  let allows = createAllowList([]);
  let rate: { readonly perSecond: number; readonly may: SharedRate } | undefined;
  let budget: number | undefined;
  let timer: NodeJS.Timeout | undefined;

  function look(): void {
    if (budget === undefined || bytes() < budget) return;
    clearInterval(timer);
    timer = undefined;
    onSpent();
  }

  return {
    take({ connectsPerSecond: perSecond, bytes: newBudget }, newAllows) {
      allows = newAllows;
      if (perSecond === undefined) rate = undefined;
      // The same limit again keeps its count: every half brings a ticket.
      else if (perSecond !== rate?.perSecond) rate = { perSecond, may: createSharedRate({ now, perSecond }) };
      budget = newBudget;
      if (budget === undefined) {
        clearInterval(timer);
        timer = undefined;
      } else timer ??= setInterval(look, lookMs);
    },
    allows: (ip) => allows(ip),
    mayConnect: (source) => rate?.may(source) ?? true,
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
