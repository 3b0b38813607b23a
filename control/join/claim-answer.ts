/** What a machine that may join is told. */
export interface ClaimAnswer {
  /** Public host of the relay and its shared port. */
  readonly relay: string;
  readonly port: number;
  /** The key that the relay shows there in TLS, which whoever dials pins; null: it speaks plain TCP alone. */
  readonly tls: string | null;
  readonly ticket: string;
  /** Seconds since 1970. */
  readonly expires: number;
  /** Waiting halves to keep. */
  readonly pool: number;
}

/** The claim's answer as lines that a shell reads. `left`, in seconds, spares it from trusting its own clock. */
export function claimAnswer(answer: ClaimAnswer, now: number): string {
  const { relay, port, tls, ticket, expires, pool } = answer;
  const left = Math.max(0, Math.round(expires - now / 1_000));
  const values = { relay, port, tls: tls ?? "", ticket, expires, pool, left };
  return Object.entries(values)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}
