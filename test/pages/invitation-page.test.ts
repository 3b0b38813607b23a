import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { pickLanguage } from "../../control/join/page-language.ts";
import { joinLines } from "../../control/join/page-lines.ts";
import { pageScript, pageScriptHash } from "../../control/join/page-script.ts";
import { pageStyle, pageStyleHash } from "../../control/join/page-style.ts";
import { invitationPage } from "../../control/join/page.ts";

const invitation = {
  state: "valid",
  language: "en",
  url: "https://rdv.example.org/j/K7Q2X-9FMTR",
  code: "K7Q2X-9FMTR",
  inviter: "Ada Lovelace",
  target: "localhost:22",
  service: "ssh",
  expires: new Date("2026-11-23T15:10:00Z"),
} as const;

test("the page allows exactly its own style and script", () => {
  assert.equal(pageStyleHash, sha256(pageStyle), "put this hash into page-style.ts");
  assert.equal(pageScriptHash, sha256(pageScript), "put this hash into page-script.ts");
  const { html, headers } = invitationPage(invitation);
  assert.ok(html.includes(`<style>${pageStyle}</style>`));
  assert.ok(html.includes(`<script>${pageScript}</script>`));
  const policy = headers["content-security-policy"] ?? "";
  assert.ok(policy.startsWith("default-src 'none'; "));
  for (const part of ["frame-ancestors 'none'", "form-action 'none'", "base-uri 'none'"])
    assert.ok(policy.includes(part), part);
  assert.doesNotMatch(policy, /unsafe|\*|https?:/);
});

test("the page is not cached, not indexed, and its address is told to nobody", () => {
  for (const state of ["used", "unknown"] as const) {
    const { headers } = invitationPage({ state, language: "fr" });
    assert.equal(headers["cache-control"], "no-store");
    assert.equal(headers["referrer-policy"], "no-referrer");
    assert.match(headers["x-robots-tag"] ?? "", /noindex/);
    assert.equal(headers["content-language"], "fr");
    assert.equal(headers["content-type"], "text/html; charset=utf-8");
  }
});

test("the page says who asks, for what, until when, from where, and how to agree", () => {
  const { status, html } = invitationPage({ ...invitation, allow: ["203.0.113.7", "2001:db8::/64"] });
  assert.equal(status, 200);
  for (const said of [
    "Ada Lovelace",
    "localhost:22",
    "SSH, the remote command line",
    "23 November 2026 at 15:10 UTC",
    "203.0.113.7",
    "2001:db8::/64",
    "K7Q2X-9FMTR",
    "Ctrl-C",
    "do nothing",
  ])
    assert.ok(html.includes(said), said);
  const text = html.replaceAll("<wbr>", "").replaceAll("&#39;", "'");
  assert.ok(text.includes(">curl --proto '=https' -fsSL https://rdv.example.org/j/K7Q2X-9FMTR | sh<"));
  assert.ok(text.includes(">irm https://rdv.example.org/j/K7Q2X-9FMTR/ps1 | iex<"));
});

test("what strangers chose stays text", () => {
  const nasty = [
    `<script>alert(1)</script>`,
    `"><img src=x onerror=alert(1)>`,
    `' onmouseover='alert(1)`,
    `</title></style></script><svg/onload=1>`,
    "&lt;b&gt;",
    "Ada\u202Egnp.exe\u0000\u001B[31m",
    "<!--",
    "\uD800",
    "x".repeat(10_000),
  ];
  const bones = skeleton(invitationPage({ ...invitation, service: "other", allow: ["x"] }).html);
  for (const value of nasty)
    for (const language of ["en", "fr"] as const) {
      const view = {
        ...invitation,
        language,
        inviter: value,
        target: value,
        code: value,
        service: value,
        allow: [value],
      };
      const { html } = invitationPage(view);
      if (language === "en") assert.deepEqual(skeleton(html), bones, JSON.stringify(value.slice(0, 40)));
      assert.doesNotMatch(html, /[^\P{Cc}\n]|\p{Cf}/u);
      assert.ok(html.length < 30_000, "bounded");
    }
});

test("a URL that a shell would not take as one word is refused", () => {
  for (const url of [
    "https://x.example/j/A;rm -rf ~",
    "https://x.example/j/$(id)",
    "https://x.example/j/`id`",
    "https://x.example/j/A B",
    "https://x.example/j/A\n",
    "https://u@x.example/j/A",
    "https://x.example/j/A'",
    "javascript:alert(1)",
    "https://x.example",
  ])
    assert.throws(() => invitationPage({ ...invitation, url }), { code: "internal" }, url);
  assert.equal(joinLines("http://[::1]:8787/j/A").shell, "curl -fsSL 'http://[::1]:8787/j/A' | sh");
});

test("an unknown and an expired invitation give the same page, and a used one tells nothing of its session", () => {
  const unknown = invitationPage({ state: "unknown", language: "en" });
  const used = invitationPage({ state: "used", language: "en" });
  assert.equal(unknown.status, 404);
  assert.equal(used.status, 410);
  for (const { html } of [unknown, used]) assert.doesNotMatch(html, /Ada|localhost|curl|K7Q2X/);
});

test("the language is the reader's choice, else the browser's, else English", () => {
  const cases: readonly (readonly [string | undefined, string | undefined, string])[] = [
    [undefined, undefined, "en"],
    ["fr-CA,fr;q=0.9,en;q=0.8", undefined, "fr"],
    ["fr-CA,fr;q=0.9,en;q=0.8", "en", "en"],
    ["en-US,en;q=0.5", "FR", "fr"],
    ["de,fr;q=0.4,en;q=0.7", undefined, "en"],
    ["de, FR ;q=0.4", undefined, "fr"],
    ["fr;q=0, en;q=0.1", undefined, "en"],
    ["fr;q=2", "de", "en"],
    ["frisian", undefined, "en"],
    [`${"de,".repeat(100_000)}fr`, undefined, "en"],
  ];
  for (const [header, query, expected] of cases)
    assert.equal(pickLanguage(header, query), expected, `${header?.slice(0, 40)} ${query}`);
});

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}

/** The tags with their attribute names: what a value must never change. */
function skeleton(html: string): string[] {
  return [...html.matchAll(/<\/?[a-z!][^>]*>/gi)].map(([tag]) => tag.replace(/="[^"]*"/g, "="));
}
