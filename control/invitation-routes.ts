import { RdvError } from "../protocol/errors.ts";
import {
  Claim,
  ClaimAnswer,
  CreateInvitation,
  CreatedInvitation,
  InvitationDetails,
  readCode,
} from "../protocol/invitations.ts";
import { isLoopbackHost } from "../protocol/plain-address.ts";
import { check, parseJson, readText } from "./body.ts";
import { lookUp } from "./guesses.ts";
import { noInvitation } from "./invitation-object.ts";
import type { InvitationVerbs } from "./invitation-object.ts";
import { wantedFormat } from "./invitation-format.ts";
import type { Format } from "./invitation-format.ts";
import { createInvitation, invitationKey } from "./invitations.ts";
import { claimAnswer } from "./join/claim-answer.ts";
import { joinFiles } from "./join/embedded.ts";
import { invitationPage } from "./join/page.ts";
import { pickLanguage } from "./join/page-language.ts";
import { powershellJoinScript } from "./join/powershell.ts";
import { privateJoinScript, privatePowershellScript } from "./join/private-script.ts";
import { joinScript } from "./join/script.ts";
import { unwrap } from "./outcome.ts";
import type { Remote } from "./platform.ts";
import { problemAnswer, securityHeaders } from "./problems.ts";
import type { Call, Route } from "./route.ts";
import { defineRoute } from "./route.ts";
import type { Services } from "./services.ts";

/** Halves that an invited machine keeps waiting. */
const invitedPool = 2;

/** Inviting, and everything that an invited person's browser, shell or `rdv join` asks for. */
export function invitationRoutes(services: Services): Route[] {
  const { env, now } = services;

  /** Answers with what the code opens, or, in the words and the time of every other wrong code, with nothing. */
  async function withInvitation(
    { request, param, address, origin }: Call,
    format: Format,
    answer: (found: Found, object: Remote<InvitationVerbs>) => Promise<Response> | Response,
  ): Promise<Response> {
    try {
      const code = readCode(param("code"));
      if (code === undefined) return nothing(request, format);
      const opened = await lookUp(env, address, async () => {
        const object = env.INVITATIONS.getByName(await invitationKey(code));
        const view = await object.view(null);
        return view ? { view, object } : undefined;
      });
      if (!opened) return nothing(request, format);
      const url = `${originOf(services, origin)}/j/${code}`;
      return await answer({ ...opened.view, code, url }, opened.object);
    } catch (error) {
      if (format === "text" && error instanceof RdvError) return plainProblem(error);
      throw error;
    }
  }

  return [
    defineRoute({
      method: "POST",
      path: "/v1/invitations",
      access: "sessions",
      summary: "Creates a session whose agent is the machine that uses the code.",
      body: CreateInvitation,
      answers: { 201: CreatedInvitation },
      handle: async ({ body, caller, address, origin }) => {
        const inviter = { caller, address, origin: originOf(services, origin) };
        return Response.json(await createInvitation(services, inviter, body), { status: 201 });
      },
    }),
    defineRoute({
      method: "GET",
      path: "/j/:code",
      access: "public",
      summary: "The invitation: a page for browsers, JSON for rdv join, a shell script for everybody else.",
      answers: { 200: InvitationDetails },
      handle: async (call) => {
        const format = wantedFormat(call.request);
        return await withInvitation(call, format, (found) => show(call.request, format, found));
      },
    }),
    defineRoute({
      method: "GET",
      path: "/j/:code/:file",
      access: "public",
      summary: "The PowerShell script, and the agents that the shell script fetches.",
      answers: { 200: null },
      handle: async (call) => {
        const wanted = call.param("file");
        // The same for everybody, so whether the code is right does not matter.
        const file = Object.entries(joinFiles).find(([name]) => name === wanted)?.[1];
        if (file) return textAnswer(file.text, file.type);
        if (wanted !== "ps1") return nothing(call.request, "text");
        return await withInvitation(call, "text", (found) =>
          textAnswer(
            found.details.private
              ? privatePowershellScript(found.url)
              : powershellJoinScript(joinOptions(found)),
            "text/plain",
          ),
        );
      },
    }),
    defineRoute({
      method: "POST",
      path: "/j/:code/claim",
      access: "public",
      summary: "Exchanges the code for a ticket that can only wait for clients of this one session.",
      answers: { 200: ClaimAnswer },
      handle: async (call) => {
        const { request, address } = call;
        const format = request.headers.get("accept")?.includes("application/json") ? "json" : "text";
        return await withInvitation(call, format, async ({ details, url }, object) => {
          const claim = await readClaim(request);
          if (details.private && claim.fingerprint === undefined) throw needsRdv(url);
          const outcome = await object.claim({ claim, ip: address });
          const { placement, ticket, expires } = unwrap(outcome);
          const { host: relay, sharedPort: port, tls } = placement;
          const answer = { relay, port, tls, ticket, expires, pool: invitedPool };
          return format === "json"
            ? Response.json(answer satisfies ClaimAnswer)
            : textAnswer(claimAnswer(answer, now()), "text/plain");
        });
      },
    }),
  ];
}

interface Found {
  readonly details: InvitationDetails;
  readonly used: boolean;
  readonly code: string;
  readonly url: string;
}

function show(request: Request, format: Format, found: Found): Response {
  if (format === "json") return Response.json(found.details);
  const { details, url } = found;
  if (format === "text")
    return textAnswer(
      details.private ? privateJoinScript(url) : joinScript(joinOptions(found)),
      "text/x-shellscript",
    );
  const language = languageOf(request);
  if (found.used) return pageAnswer(invitationPage({ state: "used", language }));
  const { inviter, target, service, allow, expires, private: hidden } = details;
  const shown = {
    url,
    code: found.code,
    inviter,
    target,
    allow,
    service: service ?? undefined,
    private: hidden,
  };
  return pageAnswer(invitationPage({ state: "valid", language, ...shown, expires: new Date(expires) }));
}

function joinOptions({ details, code, url }: Found): Parameters<typeof joinScript>[0] {
  const { inviter, target, service, address, session, relayTls, expires } = details;
  const isSsh = service === "ssh" || target.endsWith(":22");
  return {
    url,
    code,
    inviter,
    target,
    address,
    expires: new Date(expires),
    sessionName: session,
    isSsh,
    relayTls,
  };
}

/** The claim as JSON or, from shells, as a form (WHATWG URL, application/x-www-form-urlencoded). */
async function readClaim(request: Request): Promise<Claim> {
  const text = await readText(request);
  const isJson = request.headers.get("content-type")?.includes("application/json");
  const value = isJson ? parseJson(text) : Object.fromEntries(new URLSearchParams(text));
  return check(Claim, value, "the claim");
}

/** Who joins a private session must be able to end the encryption, which no shell can. */
function needsRdv(url: string): RdvError {
  return new RdvError("bad_request", `This invitation is private, and needs rdv itself: rdv join ${url}`);
}

/** The answer to every code that opens nothing. */
function nothing(request: Request, format: Format): Response {
  const error = new RdvError(noInvitation.code, noInvitation.detail);
  if (format === "json") return problemAnswer(error);
  if (format === "text") return plainProblem(error);
  return pageAnswer(invitationPage({ state: "unknown", language: languageOf(request) }));
}

/** A problem as one line, for shells. */
function plainProblem(error: RdvError): Response {
  const problem = problemAnswer(error);
  const headers = new Headers(problem.headers);
  headers.set("content-type", "text/plain; charset=utf-8");
  return new Response(`${error.message}\n`, { status: problem.status, headers });
}

function textAnswer(text: string, type: string): Response {
  const headers = { ...securityHeaders, "content-type": `${type}; charset=utf-8` };
  return new Response(text, { headers });
}

function pageAnswer({ status, headers, html }: ReturnType<typeof invitationPage>): Response {
  return new Response(html, { status, headers });
}

function languageOf(request: Request): ReturnType<typeof pickLanguage> {
  const query = new URL(request.url).searchParams.get("lang") ?? undefined;
  return pickLanguage(request.headers.get("accept-language") ?? undefined, query);
}

/** What is told to others: the configured address, else the one that this request used, unless that is loopback. */
function originOf({ env }: Services, own: string): string {
  const forOthers = isLoopbackHost(new URL(own).hostname) ? env.RDV_NETWORK_URL : undefined;
  return (env.RDV_PUBLIC_URL ?? forOthers ?? own).replace(/\/+$/, "");
}
