import * as z from "zod";
import { Placement } from "./api.ts";
import { SentTicket } from "./tickets.ts";

/** A placement and the ticket with which halves come there. */
export const TicketedPlacement = Placement.extend({ ticket: SentTicket, ticketExpires: z.number().int() });
export type TicketedPlacement = z.infer<typeof TicketedPlacement>;
