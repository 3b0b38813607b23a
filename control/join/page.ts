import { escapeHtml, plainText } from "./page-escape.ts";
import { pageHeaders } from "./page-headers.ts";
import { languages } from "./page-language.ts";
import { joinLines } from "./page-lines.ts";
import { pageScript } from "./page-script.ts";
import { pageStyle } from "./page-style.ts";
import { explainedServices, pageTexts } from "./page-text.ts";
import type { Language } from "./page-language.ts";
import type { NoticeText, PageText, ServiceText } from "./page-text.ts";

/** An invitation as the invited person sees it. Every text may come from a stranger. */
export interface Invitation {
  /** `ORIGIN/j/CODE`, without a query. */
  readonly url: string;
  readonly code: string;
  /** Who asks, as they call themselves. */
  readonly inviter: string;
  /** `host:port` as seen from the invited machine. */
  readonly target: string;
  /** `ssh`, `vnc` … when the inviter named a known service. */
  readonly service?: string | undefined;
  /** When the invitation ends. */
  readonly expires: Date;
  /** Addresses (CIDR) from which clients may come; empty or missing when the page should not tell. */
  readonly allow?: readonly string[] | undefined;
  /** Needs rdv on the invited machine. */
  readonly private?: boolean | undefined;
}

/** Unknown and expired are one state, so that the page is no oracle for guessed codes. */
export type InvitationView =
  | ({ readonly state: "valid"; readonly language: Language } & Invitation)
  | { readonly state: "used"; readonly language: Language }
  | { readonly state: "unknown"; readonly language: Language };

/** An answer to a browser. */
export interface Page {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly html: string;
}

const statuses = { valid: 200, used: 410, unknown: 404 } as const;

/** The page at `ORIGIN/j/CODE`: what is asked, by whom, until when, and how to agree or not. */
export function invitationPage(view: InvitationView): Page {
  const text = pageTexts[view.language];
  const { title, main } = view.state === "valid" ? invitation(view, text) : notice(text[view.state]);
  return {
    status: statuses[view.state],
    headers: pageHeaders(view.language),
    html: document(view.language, text, title, main),
  };
}

interface Content {
  readonly title: string;
  readonly main: string;
}

function document(language: Language, text: PageText, title: string, main: string): string {
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, nofollow">
<meta name="referrer" content="no-referrer">
<title>${title} · rdv</title>
<style>${pageStyle}</style>
</head>
<body>
<header>
<p class="mark">rdv</p>
<nav aria-label="${text.languageLabel}"><ul>${languages.map((each) => languageItem(each, language)).join("")}</ul></nav>
</header>
<main>
${main}
</main>
<footer><p>${text.about}</p></footer>
<script>${pageScript}</script>
</body>
</html>
`;
}

const languageNames: Readonly<Record<Language, string>> = { en: "English", fr: "Français" };

function languageItem(each: Language, current: Language): string {
  const name = languageNames[each];
  return each === current
    ? `<li><span aria-current="true" lang="${each}">${name}</span></li>`
    : `<li><a href="?lang=${each}" hreflang="${each}" lang="${each}">${name}</a></li>`;
}

function notice({ title, paragraphs }: NoticeText): Content {
  return { title, main: `<h1>${title}</h1>\n${paragraphs.map((each) => `<p>${each}</p>`).join("\n")}` };
}

function invitation(view: Invitation, text: PageText): Content {
  const inviter = shown(view.inviter);
  return {
    title: text.title(inviter),
    main: [
      `<h1>${text.heading(`<bdi>${inviter}</bdi>`)}</h1>\n<p class="lead">${view.private ? text.privateLead : text.lead}</p>`,
      section("facts", text.factsHeading, facts(view, text)),
      `<aside class="note" aria-labelledby="unexpected"><h2 id="unexpected">${text.unexpectedHeading}</h2><p>${text.unexpected}</p></aside>`,
      section("agree", text.agreeHeading, steps(view, text)),
      section("stop", text.stopHeading, text.stop.map((each) => `<p>${each}</p>`).join("\n")),
      section("cannot", text.cannotHeading, list(text.cannot(`<code>${shown(view.target)}</code>`))),
    ].join("\n"),
  };
}

function section(id: string, heading: string, body: string): string {
  return `<section aria-labelledby="${id}">\n<h2 id="${id}">${heading}</h2>\n${body}\n</section>`;
}

function facts(view: Invitation, text: PageText): string {
  const service = serviceText(view.service, text);
  const code = `<code>${shown(view.code)}</code>`;
  return `<dl class="facts">
${fact(text.who, `<bdi>${shown(view.inviter)}</bdi>`, text.whoNote)}
${fact(text.what, `<span>${service.name}</span><code>${shown(view.target)}</code>`, service.power, text.whatNote)}
${fact(text.until, time(view.expires, text), text.untilNote)}
${view.allow && view.allow.length > 0 ? fact(text.from, text.fromAllowed(addresses(view.allow))) : fact(text.from, `<bdi>${shown(view.inviter)}</bdi>`, text.fromNote)}
${fact(text.code, code, text.codeNote)}
</dl>`;
}

function fact(term: string, value: string, ...notes: readonly string[]): string {
  const more = notes.map((note) => `<p class="soft">${note}</p>`).join("");
  return `<div><dt>${term}</dt><dd><div class="value">${value}</div>${more}</dd></div>`;
}

function serviceText(service: string | undefined, text: PageText): ServiceText {
  const known = explainedServices.find((each) => each === service);
  return known ? text.services[known] : text.otherService;
}

function addresses(allow: readonly string[]): string {
  return allow.map((each) => `<code>${shown(each)}</code>`).join(" ");
}

/** The time in UTC for everybody; the script adds the reader's own. */
function time(moment: Date, text: PageText): string {
  const utc = new Intl.DateTimeFormat(text.locale, {
    dateStyle: "long",
    timeStyle: "short",
    timeZone: "UTC",
  });
  const own = `<time datetime="${moment.toISOString()}" data-locale="${text.locale}" data-suffix="${text.localTime}" hidden></time>`;
  return `${own}<span class="soft">${utc.format(moment)} UTC</span>`;
}

function steps({ url, private: hidden }: Invitation, text: PageText): string {
  const lines = joinLines(url);
  const systems = hidden
    ? [system("rdv", text.privateHeading, text.privateStep, lines.rdv, text)]
    : [
        system("shell", text.shellHeading, text.shellStep, lines.shell, text),
        system("powershell", text.powershellHeading, text.powershellStep, lines.powershell, text),
      ];
  return `<p>${hidden ? text.privateAgree : text.agree}</p>
${systems.join("\n")}
<p>${text.afterwards}</p>
<p class="soft">${text.elsewhere(`<code>${breakable(url)}</code>`)}</p>`;
}

function system(id: string, heading: string, step: string, line: string, text: PageText): string {
  return `<div class="system" role="group" aria-labelledby="${id}">
<h3 id="${id}">${heading}</h3>
<p class="soft">${step}</p>
<div class="line">
<pre tabindex="0" role="group" aria-label="${text.lineLabel(heading)}"><code id="${id}-line">${breakable(line)}</code></pre>
<button type="button" data-line="${id}-line" data-said="${id}-said" aria-label="${text.copyLabel(heading)}" hidden>${text.copy}</button>
<p class="said" id="${id}-said" role="status" data-copied="${text.copied}" data-not-copied="${text.notCopied}"></p>
</div>
</div>`;
}

function list(items: readonly string[]): string {
  return `<ul>\n${items.map((each) => `<li>${each}</li>`).join("\n")}\n</ul>`;
}

/** A URL on a narrow screen is broken before its path, and the code stays whole. */
function breakable(line: string): string {
  return escapeHtml(line).replace("/j/", "<wbr>/j/");
}

function shown(value: string): string {
  return escapeHtml(plainText(value));
}
