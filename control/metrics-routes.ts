import { countGuesses } from "./guesses.ts";
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
        const { wrong, refused } = await countGuesses(env);
        const name = "rdv_control_guesses_total";
        const text =
          `# HELP ${name} Codes of invitations that were tried and opened nothing\n# TYPE ${name} counter\n` +
          `${name}{outcome="wrong"} ${wrong}\n${name}{outcome="refused"} ${refused}\n`;
        const headers = { ...securityHeaders, "content-type": "text/plain; version=0.0.4; charset=utf-8" };
        return new Response(text, { headers });
      },
    }),
  ];
}
