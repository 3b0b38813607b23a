import type { Found } from "../credentials.ts";
import { fail, ok } from "./finding.ts";
import type { Finding } from "./finding.ts";

/** Which control plane is asked, and who said so. */
export function checkConfiguration(control: Found | undefined, token: Found | undefined): Finding {
  if (!control?.value)
    return fail(
      "configuration",
      "no control plane is known",
      "start one with `rdv up`, keep one with `rdv login URL`, or give --control URL or RDV_CONTROL",
    );
  const where = `${control.value}, from ${places[control.from]}`;
  const url = URL.parse(control.value);
  if (!url || !/^https?:$/.test(url.protocol))
    return fail("configuration", where, `write it as https://HOST or http://HOST:8787, not ${control.value}`);
  return ok("configuration", `${where}; token ${token?.value ? `from ${places[token.from]}` : "not set"}`);
}

const places = {
  flag: "the command line",
  environment: "the environment",
  file: "credentials.json",
} as const satisfies Record<Found["from"], string>;
