import { countGuesses } from "./guesses.ts";
import { readCounts } from "./counts.ts";
import { securityHeaders } from "./problems.ts";
import type { Route } from "./route.ts";
import { defineRoute } from "./route.ts";
import type { Services } from "./services.ts";

/** What the operator's monitoring reads, in the Prometheus text format. */
export function metricsRoutes({ env }: Services): Route[] {
  return [
    defineRoute({
      method: "GET",
      path: "/metrics",
      access: "fleet",
      summary: "Counters of the whole control plane, in the Prometheus text format 0.0.4.",
      answers: { 200: null },
      handle: async () => {
        const [{ wrong, refused }, counts] = await Promise.all([countGuesses(env), readCounts(env)]);
        const text =
          counter("guesses", "Codes of invitations that were tried and opened nothing", "outcome", {
            wrong,
            refused,
          }) +
          counter("offers", "Offers of a direct path, by the answer of the agent", "answer", {
            candidates: counts.offer_candidates,
            off: counts.offer_off,
            busy: counts.offer_busy,
            none: counts.offer_none,
            old: counts.offer_old,
            limited: counts.offer_limited,
          }) +
          counter("direct", "Direct paths that were tried, as the agent saw them end", "outcome", {
            opened: counts.direct_opened,
            timed_out: counts.direct_timed_out,
            refused: counts.direct_refused,
          });
        const headers = { ...securityHeaders, "content-type": "text/plain; version=0.0.4; charset=utf-8" };
        return new Response(text, { headers });
      },
    }),
  ];
}

function counter(
  what: string,
  help: string,
  label: string,
  values: Readonly<Record<string, number>>,
): string {
  const name = `rdv_control_${what}_total`;
  const lines = Object.entries(values).map(([value, count]) => `${name}{${label}="${value}"} ${count}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} counter\n${lines.join("")}`;
}
