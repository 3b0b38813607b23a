import { Command, InvalidArgumentError } from "commander";
import * as z from "zod";
import { AccountId, Scope } from "../../protocol/api.ts";
import type { Key } from "../../protocol/api.ts";
import { clientFrom, commonFrom, withClientOptions, withCommonOptions } from "../common-options.ts";
import type { Runtime } from "../runtime.ts";
import { formatTable } from "../table.ts";
import { parseDuration } from "../values.ts";

const examples = `
Examples:
  rdv keys create --label laptop             a key for sessions; its token is shown this once
  rdv keys create --scope relays --label eu-1
                                             a key with which a relay joins the fleet
  rdv keys create --account a_team --scope admin
                                             a new account and its first key (operator only)
  rdv keys create --expires 30d --json       one JSON object, the token in it
  rdv keys ls                                what keys there are, without their tokens
  rdv keys revoke k_…                        end a key, and within a minute what was opened with it

Scopes: sessions (sessions and their agents), relays (join the fleet), admin (everything of the account).`;

const CreateOptions = z.object({
  label: z.string().optional(),
  scope: z.array(Scope).default(["sessions"]),
  expires: z.number().optional(),
  account: z.string().optional(),
});
const AccountOption = CreateOptions.pick({ account: true });

/** `rdv keys`: make, list and revoke the account's keys. */
export function keysCommand(runtime: Runtime): Command {
  return new Command("keys")
    .description("Make, list or revoke keys.")
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .addHelpText("after", examples)
    .addCommand(createCommand(runtime))
    .addCommand(listCommand(runtime), { isDefault: true })
    .addCommand(revokeCommand(runtime));
}

function createCommand(runtime: Runtime): Command {
  return withAccountOption("create")
    .description("make a key and show its token")
    .option("--label <text>", "what the key is for, shown in the list")
    .option("--scope <scope>", "sessions, relays or admin; repeatable (default: sessions)", collectScope)
    .option("--expires <duration>", "the key ends by itself after this time, such as 30d", parseDuration)
    .action(async (rawOptions: unknown) => {
      const { output } = commonFrom(rawOptions, runtime);
      const { label, scope: scopes, expires, account } = CreateOptions.parse(rawOptions);
      const key = await clientFrom(rawOptions, runtime, runtime.signal).api.createKey({
        scopes,
        ...(label === undefined ? {} : { label }),
        ...(expires === undefined ? {} : { expiresInSeconds: expires }),
        ...(account === undefined ? {} : { account }),
      });
      output.event({ event: "key", ...key }, key.token);
      output.note(
        `key ${key.id} of ${key.account} for ${key.scopes.join(", ")}; the token is shown this once`,
      );
    });
}

function listCommand(runtime: Runtime): Command {
  return withAccountOption("ls")
    .description("list the keys, without their tokens")
    .action(async (options: unknown) => {
      const { output } = commonFrom(options, runtime);
      const keys = await clientFrom(options, runtime, runtime.signal).api.listKeys(
        AccountOption.parse(options).account,
      );
      for (const key of keys) output.event({ event: "key", ...key });
      if (output.json) return;
      if (keys.length === 0) output.note("no keys but the operator's own; `rdv keys create` makes one");
      else output.event({}, formatTable(["ID", "SCOPES", "CREATED", "EXPIRES", "LABEL"], keys.map(row)));
    });
}

function revokeCommand(runtime: Runtime): Command {
  return withAccountOption("revoke")
    .description("end keys, and what was opened with them")
    .argument("<key...>", "ids, as `rdv keys ls` shows them")
    .action(async (ids: string[], options: unknown) => {
      const { output } = commonFrom(options, runtime);
      const { api } = clientFrom(options, runtime, runtime.signal);
      const { account } = AccountOption.parse(options);
      for (const key of ids) {
        await api.revokeKey(key, account);
        output.event({ event: "revoked", key }, `revoked ${key}`);
      }
    });
}

function withAccountOption(name: string): Command {
  return withCommonOptions(withClientOptions(new Command(name))).option(
    "--account <id>",
    "another account than the token's own, such as a_team (operator only)",
    parseAccount,
  );
}

function row({ id, scopes, createdAt, expiresAt, label }: Key): string[] {
  const short = (time: string): string => time.replace(/\.\d+Z$/, "Z");
  return [id, scopes.join(","), short(createdAt), expiresAt === null ? "-" : short(expiresAt), label];
}

function collectScope(text: string, previous: readonly Scope[] | undefined): Scope[] {
  const scope = Scope.safeParse(text);
  if (!scope.success) throw new InvalidArgumentError("A scope is sessions, relays or admin.");
  return [...(previous ?? []), scope.data];
}

function parseAccount(text: string): string {
  const account = AccountId.safeParse(text);
  if (account.success) return account.data;
  throw new InvalidArgumentError("An account is a_ and 1 to 40 characters a-z, 0-9.");
}
