import type { Answer } from "../../fixtures/browser.ts";

/** How the page asks: each is a function of its script that takes a URL and tells what the page could read. */
export const looks = ["read", "lookBlind"] as const;
export const posts = ["postJson", "postBlind", "postForm"] as const;
export type Way = (typeof looks)[number] | (typeof posts)[number] | "openSocket";

/** What a way tells when the browser shows the page nothing. */
export const nothing = "nothing";

/** The page of an attacker, who tries everything that a browser lets a page do without asking its user. */
export function evilPage(): Answer {
  return { status: 200, headers: { "content-type": "text/html" }, html: `<script>${script}</script>` };
}

const script = `
  const seen = async (asking) => {
    try {
      const answer = await asking;
      return answer.type === "opaque" ? "${nothing}" : answer.status + " " + (await answer.text());
    } catch {
      return "${nothing}";
    }
  };
  const json = { "content-type": "application/json" };
  const read = (url) => seen(fetch(url));
  const lookBlind = (url) => seen(fetch(url, { mode: "no-cors" }));
  const postJson = (url) => seen(fetch(url, { method: "POST", headers: json, body: "{}" }));
  const postBlind = (url) => seen(fetch(url, { method: "POST", mode: "no-cors", body: "machine=evil" }));
  const postForm = (url) => new Promise((resolve) => {
    const frame = document.createElement("iframe");
    frame.name = "answer-" + document.forms.length;
    document.body.append(frame);
    const form = document.body.appendChild(document.createElement("form"));
    Object.assign(form, { action: url, method: "POST", target: frame.name });
    form.innerHTML = "<input name=machine value=evil>";
    // A frame of another site has no document for this page.
    frame.onload = () => resolve(frame.contentDocument ? "frame " + frame.contentDocument.body.innerText : "${nothing}");
    form.submit();
  });
  const openSocket = (url) => new Promise((resolve) => {
    const socket = new WebSocket(url.replace("http", "ws"));
    socket.onopen = () => resolve("open");
    socket.onerror = () => resolve("${nothing}");
  });
`;
