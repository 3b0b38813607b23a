import { Command, InvalidArgumentError, Option } from "commander";
import * as z from "zod";
import { AccountId, RelayId } from "../../protocol/api.ts";
import { NamePattern, Scope } from "../../protocol/keys.ts";
import type { CreateKey, Key } from "../../protocol/keys.ts";
import { newRelayId } from "../../relay-node/relay-id.ts";
import { clientFrom, commonFrom, withClientOptions, withCommonOptions } from "../common-options.ts";
import type { Runtime } from "../runtime.ts";
import { formatTable } from "../table.ts";
import { parseDuration, parseRegion } from "../values.ts";

const examples = `
Examples:
  rdv keys create --scope expose --name my-desk
                                             for the machine behind NAT: it serves my-desk, and can do no more
  rdv keys create --scope expose --name 'cam-*' --ttl 30d
                                             for many machines, and for 30 days
  rdv keys create --scope connect --name my-desk
                                             for who may come to my-desk, as a client
  rdv keys create --relay --region eu-west --label eu-1
                                             a key with which one new relay joins the fleet, in this region
  rdv keys create --account a_team --scope admin
                                             a new account and its first key (operator only)
  rdv keys ls                                what keys there are, without their tokens
  rdv keys revoke k_…                        end a key, and within a minute what was opened with it
  rdv keys rotate-signing                    make the next key that signs tickets (operator only)

Scopes: expose (serve sessions as their agent), connect (reach them as a client), sessions (both, and list, invite and
end them; the default), relays (join the fleet), admin (everything of the account). Without --name a key with expose
serves the sessions that are made with it, and one with connect reaches all.`;

const CreateOptions = z.object({
  label: z.string().optional(),
  scope: z.array(Scope).optional(),
  name: z.array(NamePattern).optional(),
  /** True: of a relay that is yet to come. */
  relay: z.union([z.literal(true), RelayId]).optional(),
  region: z.string().optional(),
  ttl: z.number().optional(),
  expires: z.number().optional(),
  account: z.string().optional(),
});
const AccountOption = CreateOptions.pick({ account: true });

/** `rdv keys`: make, list and revoke the account's keys. */
export function keysCommand(runtime: Runtime): Command {
  return new Command("keys")
    .description("Make, list, revoke or rotate keys.")
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .addHelpText("after", examples)
    .addCommand(createCommand(runtime))
    .addCommand(listCommand(runtime), { isDefault: true })
    .addCommand(revokeCommand(runtime))
    .addCommand(rotateSigningCommand(runtime));
}

function createCommand(runtime: Runtime): Command {
  return withAccountOption("create")
    .description("make a key and show its token")
    .option("--label <text>", "what the key is for, shown in the list")
    .option("--scope <scope>", "expose, connect, sessions, relays or admin; repeatable", collectScope)
    .option("--name <pattern>", "only for sessions with this name, such as cam-*; repeatable", collectPattern)
    .option("--relay [id]", "only for this relay; without an id for a new one", parseRelay)
    .option("--region <region>", "that relay is in this region", parseRegion)
    .option("--ttl <duration>", "the key ends by itself after this time, such as 30d", parseDuration)
    .addOption(new Option("--expires <duration>", "the same as --ttl").argParser(parseDuration).hideHelp())
    .action(async (rawOptions: unknown) => {
      const { output } = commonFrom(rawOptions, runtime);
      const request = requestOf(CreateOptions.parse(rawOptions));
      const key = await clientFrom(rawOptions, runtime, runtime.signal).api.createKey(request);
      output.event({ event: "key", ...key }, key.token);
      output.note(`key ${key.id} of ${key.account} for ${purpose(key)}; the token is shown this once`);
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
      else output.event({}, formatTable(["ID", "FOR", "CREATED", "EXPIRES", "LABEL"], keys.map(row)));
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

function rotateSigningCommand(runtime: Runtime): Command {
  return withCommonOptions(withClientOptions(new Command("rotate-signing")))
    .description("make the next key that signs tickets; nothing that is open ends (operator only)")
    .action(async (options: unknown) => {
      const { output } = commonFrom(options, runtime);
      const rotated = await clientFrom(options, runtime, runtime.signal).api.rotateSigningKey();
      output.event(
        { event: "signing-key", ...rotated },
        `signing key ${rotated.kid} signs from ${short(rotated.signsFrom)}; tickets of the one before are good until ${short(rotated.oldUntil)}`,
      );
    });
}

function withAccountOption(name: string): Command {
  return withCommonOptions(withClientOptions(new Command(name))).option(
    "--account <id>",
    "another account than the token's own, such as a_team (operator only)",
    parseAccount,
  );
}

function requestOf(options: z.infer<typeof CreateOptions>): CreateKey {
  const { label, relay, name: names, region, ttl, expires: expiresInSeconds = ttl, account } = options;
  const scopes = options.scope ?? [relay !== undefined || region !== undefined ? "relays" : "sessions"];
  return {
    scopes,
    ...(label === undefined ? {} : { label }),
    ...(names === undefined ? {} : { names }),
    ...(relay === undefined ? {} : { relay: relay === true ? newRelayId() : relay }),
    ...(region === undefined ? {} : { region }),
    ...(expiresInSeconds === undefined ? {} : { expiresInSeconds }),
    ...(account === undefined ? {} : { account }),
  };
}

function row(key: Key): string[] {
  const { id, createdAt, expiresAt, label } = key;
  return [id, purpose(key), short(createdAt), expiresAt === null ? "-" : short(expiresAt), label];
}

/** A time without the part of a second. */
function short(time: string): string {
  return time.replace(/\.\d+Z$/, "Z");
}

/** What a key is for, as `expose my-desk` or `relays r_… eu-west`. */
function purpose({ scopes, names, relay, region }: Key): string {
  return [scopes.join(","), ...(names ?? []), relay, region].filter((part) => part !== null).join(" ");
}

function collectScope(text: string, previous: readonly Scope[] | undefined): Scope[] {
  const scope = Scope.safeParse(text);
  if (!scope.success)
    throw new InvalidArgumentError("A scope is expose, connect, sessions, relays or admin.");
  return [...(previous ?? []), scope.data];
}

function parseAccount(text: string): string {
  const account = AccountId.safeParse(text);
  if (account.success) return account.data;
  throw new InvalidArgumentError("An account is a_ and 1 to 40 characters a-z, 0-9.");
}

function collectPattern(text: string, previous: readonly string[] | undefined): string[] {
  if (NamePattern.safeParse(text).success) return [...(previous ?? []), text];
  throw new InvalidArgumentError("Write a session's name, or a pattern with one *, such as cam-*.");
}

function parseRelay(text: string): string {
  if (RelayId.safeParse(text).success) return text;
  throw new InvalidArgumentError("A relay id is r_ and 8 to 40 characters a-z, 0-9; rdv relays shows them.");
}
