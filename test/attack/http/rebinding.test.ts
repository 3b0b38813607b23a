import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { attack } from "../../fixtures/attack.ts";
import { launchBrowser, serveAnswers, skipWithoutChromium } from "../../fixtures/browser.ts";
import type { PageBrowser } from "../../fixtures/browser.ts";
import { runRdv } from "../../fixtures/rdv.ts";
import { within } from "../../fixtures/within.ts";
import { createUpPlace, startUpAt } from "../../fixtures/rendezvous.ts";
import type { UpPlace } from "../../fixtures/rendezvous.ts";
import { invite } from "../../invite/invited.ts";
import { evilPage, looks, nothing, posts } from "./evil-page.ts";
import type { Way } from "./evil-page.ts";

const name = "evil.example";
const title = "rebinds a name to loopback in a real browser, and asks control plane and relay";
const options = { timeout: 120_000, skip: skipWithoutChromium() };

attack({ point: 11, title, from: import.meta.url, options }, async () => {
  await using browser = await launchBrowser(`--host-resolver-rules=MAP ${name} 127.0.0.1`);
  await using place = await createUpPlace();
  const [control, relay, metrics] = [place.block.port(0), place.block.port(1), place.block.port(12)];
  const ports = [control, relay, metrics];
  // These come from the attacker's own server; then it goes, and the same name and port lead to rdv.
  const rebound = await Promise.all(ports.map(async (port) => await openEvilPage(browser, port)));
  await using up = await startUpAt(place, "--metrics-port", String(metrics));
  await using invited = await invite(place, 22);
  await using elsewhere = await serveAnswers(evilPage);
  const stranger = await browser.newPage();
  await stranger.goto(`http://${name}:${elsewhere.port}/`);
  const before = await made(place);

  const session = `/v1/sessions/${invited.session}`;
  const invitation = `/j/${invited.code}`;
  const requests = [
    ...requestsTo(control, {
      looked: [
        "/healthz",
        "/v1/jwks",
        "/v1/address",
        "/openapi.json",
        "/metrics",
        "/v1/sessions",
        invitation,
      ],
      posted: ["/v1/sessions", "/v1/keys", "/v1/invitations", `${invitation}/claim`],
      opened: [`${session}/agent`],
    }),
    ...requestsTo(relay, {
      looked: ["/healthz", "/readyz", "/metrics", "/v1/address"],
      posted: ["/v1/address"],
      opened: ["/v1/ws"],
    }),
    ...requestsTo(metrics, { looked: ["/metrics"], posted: ["/metrics"], opened: ["/metrics"] }),
  ];
  const pages = [...rebound, stranger];
  for (const page of pages) await askAll(page, requests);
  for (const port of ports) await visit(browser, port);

  assert.deepEqual(await made(place), before, "no session and no key was made or lost");
  const own = await browser.newPage();
  await own.goto(`${up.control}/j/${invited.code}`);
  assert.match(await own.locator("main").innerText(), new RegExp(`/j/${invited.code}`));
  assert.equal(
    await own.locator("button:visible").count(),
    2,
    "the invitation is still unused, and its page whole",
  );
  return {
    tries: pages.length * requests.length + ports.length,
    answer: "421 to the attacker's name; by its address a page reads nothing, and what it posts is refused",
  };
});

/** A page of the attacker at this port, whose server is gone when it is there. */
async function openEvilPage(browser: PageBrowser, port: number): Promise<Page> {
  await using _server = await serveAnswers(evilPage, port);
  const page = await browser.newPage();
  await page.goto(`http://${name}:${port}/`);
  return page;
}

interface Asked {
  readonly way: Way;
  readonly url: string;
}

/** Paths of a port, by what a page does there. */
interface Paths {
  readonly looked: readonly string[];
  readonly posted: readonly string[];
  readonly opened: readonly string[];
}

/** Everything that a page can ask of a port, by the name that leads there now and by its address. */
function requestsTo(port: number, { looked, posted, opened }: Paths): Asked[] {
  return [name, "127.0.0.1"].flatMap((host) => {
    const each = (paths: readonly string[], ways: readonly Way[]): Asked[] =>
      paths.flatMap((path) => ways.map((way) => ({ way, url: `http://${host}:${port}${path}` })));
    return [...each(looked, looks), ...each(posted, posts), ...each(opened, ["openSocket"])];
  });
}

async function askAll(page: Page, requests: readonly Asked[]): Promise<void> {
  const home = page.url();
  const taken: string[] = [];
  page.on("response", (response) => {
    const { hostname } = new URL(response.url());
    const isRefused = response.status() >= 400;
    if (!isRefused && (hostname === name || response.request().method() === "POST"))
      taken.push(`${response.request().method()} ${response.url()}: ${response.status()}`);
  });
  for (const { way, url } of requests) {
    const asked = page.evaluate(`${way}(${JSON.stringify(url)})`);
    const read = String(await within(15_000, asked, () => `what ${home} reads by ${way} of ${url}`));
    assert.ok(read === nothing || isRefusal(read), `${home} reads by ${way} of ${url}: ${read}`);
  }
  assert.deepEqual(taken, [], `nothing is granted to ${home}`);
}

/** What a page may read that has the origin of the port it asks: that it came to the wrong name. */
function isRefusal(read: string): boolean {
  return /^(421|400|frame) .*(does not go by|Not the name of this server|is not served here)/s.test(read);
}

/** Goes there as a link of the attacker would, and looks at what the browser shows. */
async function visit(browser: PageBrowser, port: number): Promise<void> {
  const page = await browser.newPage();
  const answer = await page.goto(`http://${name}:${port}/`);
  assert.equal(answer?.status(), 421);
  assert.match(
    String(await page.evaluate("document.body.innerText")),
    /does not go by|Not the name of this server/,
  );
}

/** Ids of what there is, as its owner sees it. */
async function made(place: UpPlace): Promise<readonly string[]> {
  const kinds = ["sessions", "keys"];
  const lists = kinds.map(async (kind) => {
    const { code, stdout, stderr } = await runRdv([kind, "ls", "--json"], place);
    assert.equal(code, 0, stderr);
    return [...stdout.matchAll(/"id":"([^"]+)"/g)].map(([, id]) => `${kind} ${id}`).toSorted();
  });
  return (await Promise.all(lists)).flat();
}
