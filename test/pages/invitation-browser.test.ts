import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { pickLanguage } from "../../control/join/page-language.ts";
import { invitationPage } from "../../control/join/page.ts";
import { launchBrowser, skipWithoutChromium } from "../fixtures/browser.ts";
import type { Answer, PageBrowser } from "../fixtures/browser.ts";

const skip = skipWithoutChromium();
const shellLine = "curl --proto '=https' -fsSL https://rdv.example.org/j/K7Q2X-9FMTR | sh";
const sizes = [
  { width: 320, height: 640 },
  { width: 360, height: 740 },
  { width: 1280, height: 800 },
];

let browser: PageBrowser;
if (!skip) {
  before(async () => {
    browser = await launchBrowser();
  });
  after(async () => await browser[Symbol.asyncDispose]());
}

for (const language of ["en", "fr"] as const)
  for (const viewport of sizes)
    for (const colorScheme of ["light", "dark"] as const)
      test(
        `${language}, ${viewport.width} px, ${colorScheme}: fits, and asks for nothing but itself`,
        { skip },
        async () => {
          await using opened = await browser.open(answer, `/?lang=${language}`, { viewport, colorScheme });
          const { page } = opened;
          assert.equal(await page.evaluate("document.documentElement.scrollWidth"), viewport.width);
          assert.equal(await page.evaluate("document.documentElement.lang"), language);
          assert.equal(await page.locator("button:visible").count(), 2, "the script runs under its policy");
          assert.deepEqual(opened.complaints, []);
          assert.deepEqual(opened.requests, [opened.url]);
        },
      );

test("the copy button puts the line on the clipboard and says so", { skip }, async () => {
  await using opened = await browser.open(answer, "/", { clipboard: true });
  const { page } = opened;
  await page.getByRole("button", { name: "Copy the line for macOS or Linux" }).click();
  await page.getByRole("status").filter({ hasText: "Copied" }).waitFor();
  assert.equal(await page.evaluate("navigator.clipboard.readText()"), shellLine);
});

test(
  "without a clipboard interface, as on a plain http page, the line is copied all the same",
  { skip },
  async () => {
    await using opened = await browser.open(answer, "/", { clipboard: true });
    const { page } = opened;
    await page.evaluate("navigator.clipboard.writeText = () => Promise.reject(new Error('no'))");
    await page.getByRole("button", { name: "Copy the line for Windows" }).click();
    await page.getByRole("status").filter({ hasText: "Copied" }).waitFor();
    assert.equal(
      await page.evaluate("getSelection().toString()"),
      "irm https://rdv.example.org/j/K7Q2X-9FMTR/ps1 | iex",
    );
  },
);

test("without scripts the page is whole: lines to select, no dead button", { skip }, async () => {
  await using opened = await browser.open(answer, "/", { javaScriptEnabled: false });
  const { page } = opened;
  assert.equal(await page.locator("button:visible").count(), 0);
  assert.equal(await page.locator("#shell-line").textContent(), shellLine);
  assert.match(await page.locator("main").innerText(), /23 November 2026 at 15:10 UTC/);
});

test("the time is told in the reader's own time zone", { skip }, async () => {
  await using opened = await browser.open(answer, "/", { timezoneId: "America/New_York", locale: "en-GB" });
  assert.equal(await opened.page.locator("time").textContent(), "23 November 2026 at 10:10, your local time");
});

test(
  "the keyboard reaches language, lines and buttons in reading order, and the focus is seen",
  { skip },
  async () => {
    await using opened = await browser.open(answer, "/");
    const { page } = opened;
    const order: unknown[] = [];
    for (let step = 0; step < 5; step += 1) {
      await page.keyboard.press("Tab");
      order.push(
        await page.evaluate("document.activeElement.ariaLabel || document.activeElement.textContent"),
      );
      assert.equal(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle"), "solid");
    }
    assert.deepEqual(order, [
      "Français",
      "Line for macOS or Linux",
      "Copy the line for macOS or Linux",
      "Line for Windows",
      "Copy the line for Windows",
    ]);
  },
);

test("the language link works from the keyboard", { skip }, async () => {
  await using opened = await browser.open(answer, "/");
  const { page } = opened;
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Ada Lovelace demande" }).waitFor();
  assert.match(page.url(), /\?lang=fr$/);
  assert.deepEqual(opened.complaints, []);
});

test("a screen reader finds landmarks, headings, names and live regions", { skip }, async () => {
  await using opened = await browser.open(answer, "/");
  const tree = await opened.page.locator("body").ariaSnapshot();
  for (const node of [
    "banner:",
    'navigation "Language":',
    "main:",
    'heading "Ada Lovelace asks to reach one service on your computer" [level=1]',
    'region "What you are asked":',
    "term: Who asks",
    'complementary "You did not expect this?":',
    'region "If you agree":',
    'group "macOS or Linux":',
    'heading "Windows" [level=3]',
    'button "Copy the line for Windows"',
    "status",
    'region "How to stop":',
    'region "What it is not able to do":',
    "contentinfo:",
  ])
    assert.ok(tree.includes(node), `${node} is missing in\n${tree}`);
});

for (const path of ["/", "/?lang=fr", "/used", "/unknown?lang=fr"])
  for (const colorScheme of ["light", "dark"] as const)
    test(`axe finds no fault, contrast included: ${path} ${colorScheme}`, { skip }, async () => {
      await using opened = await browser.open(answer, path, { colorScheme, bypassCSP: true });
      const { page } = opened;
      await page.evaluate(
        readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8"),
      );
      const found = await page.evaluate(
        "axe.run(document).then(({ violations, passes }) => [violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join()}`), passes.map((each) => each.id)])",
      );
      const [violations, passes] = found as [string[], string[]]; // The expression above returns this pair.
      assert.deepEqual(violations, []);
      assert.ok(passes.includes("color-contrast"), "contrast was computed");
    });

/** What the control plane would answer. */
function answer(url: URL): Answer {
  const language = pickLanguage(undefined, url.searchParams.get("lang") ?? undefined);
  if (url.pathname === "/used") return invitationPage({ state: "used", language });
  if (url.pathname === "/unknown") return invitationPage({ state: "unknown", language });
  return invitationPage({
    state: "valid",
    language,
    url: "https://rdv.example.org/j/K7Q2X-9FMTR",
    code: "K7Q2X-9FMTR",
    inviter: "Ada Lovelace",
    target: "localhost:22",
    service: "ssh",
    expires: new Date("2026-11-23T15:10:00Z"),
    allow: ["203.0.113.7", "2001:db8:1234:5678::/64"],
  });
}
