import { Command } from "commander";
import * as z from "zod";
import { RdvError } from "../../protocol/errors.ts";
import { apiAt, commonFrom, withCommonOptions } from "../common-options.ts";
import { writeCredentials } from "../credentials.ts";
import type { Runtime } from "../runtime.ts";
import { parseUrl } from "../values.ts";

const examples = `
Examples:
  rdv login https://rdv.example.org          asks for the token, without showing it
  pass show rdv | rdv login https://rdv.example.org
                                             the token from standard input
  RDV_TOKEN=… rdv login https://rdv.example.org

The token is tried first, then kept in the state directory, readable by you alone (mode 0600).`;

const Options = z.object({ token: z.string().optional() });

/** `rdv login`: keeps a control plane and a token for the other commands of this user. */
export function loginCommand(runtime: Runtime): Command {
  return withCommonOptions(new Command("login"))
    .description("Remember a control plane and the token that opens it.")
    .argument("<url>", "the control plane", parseUrl)
    .option("--token <token>", "the token; better in env RDV_TOKEN or typed, where `ps` does not show it")
    .addHelpText("after", examples)
    .action(async (control: string, options: unknown) => login(control, options, runtime));
}

async function login(control: string, options: unknown, runtime: Runtime): Promise<void> {
  const { output, stateDir } = commonFrom(options, runtime);
  const given = Options.parse(options).token ?? (runtime.env["RDV_TOKEN"] || undefined);
  const token = (given ?? (await runtime.readSecret(`Token for ${control}: `)) ?? "").trim();
  if (token === "")
    throw new RdvError("usage", "no token: type it, pipe it to standard input, or set RDV_TOKEN");
  const { account, key, scopes, names } = await apiAt(
    { url: control, token, signal: runtime.signal },
    runtime,
  ).whoAmI();
  const path = writeCredentials(stateDir, { control, token });
  output.event({ event: "login", control, account, key, scopes });
  const purpose = [scopes.join(", "), ...(names ?? [])].join(" ");
  output.note(`logged in to ${control} as ${account} (${purpose}); kept in ${path}`);
}
