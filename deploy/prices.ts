/**
 * Prices of the Workers Paid plan in US dollars a month, as published by Cloudflare and assumed on 2026-11-23
 * (https://developers.cloudflare.com/durable-objects/platform/pricing and …/workers/platform/pricing).
 * Look there before you rely on them.
 */
export const prices = {
  base: 5,
  workerRequests: { included: 10e6, perMillion: 0.3 },
  objectRequests: { included: 1e6, perMillion: 0.15 },
  /** Wall-clock time in which an object runs or cannot hibernate, at 128 MB. */
  gigabyteSeconds: { included: 400e3, perMillion: 12.5 },
  rowsRead: { included: 25e9, perMillion: 0.001 },
  /** Setting an alarm is a write, too. */
  rowsWritten: { included: 50e6, perMillion: 1 },
  /** Incoming WebSocket messages that are billed as one request. Answers given without waking the object are free. */
  messagesPerRequest: 20,
} as const;
