/**
 * The page's only script: it offers to copy the lines, and tells the time in the reader's time zone.
 * Without it the page says the same; so it is the same text for everybody, allowed by its hash (CSP3 section 2.3).
 */
export const pageScript = `
"use strict";
const root = document.documentElement;

function localTime(element) {
  const locales = [...navigator.languages.filter((each) => each.startsWith(root.lang)), element.dataset.locale];
  const options = { dateStyle: "long", timeStyle: "short" };
  element.textContent = new Intl.DateTimeFormat(locales, options).format(new Date(element.dateTime)) + ", " + element.dataset.suffix;
  element.hidden = false;
}

function select(element) {
  const selection = getSelection();
  selection.removeAllRanges();
  const range = document.createRange();
  range.selectNodeContents(element);
  selection.addRange(range);
}

async function copy(line) {
  select(line);
  try {
    await navigator.clipboard.writeText(line.textContent);
    return true;
  } catch {
    return document.execCommand("copy");
  }
}

for (const time of document.querySelectorAll("time")) localTime(time);
for (const button of document.querySelectorAll("button[data-line]")) {
  const line = document.getElementById(button.dataset.line);
  const said = document.getElementById(button.dataset.said);
  button.hidden = false;
  button.addEventListener("click", async () => {
    said.textContent = "";
    const done = await copy(line);
    requestAnimationFrame(() => { said.textContent = done ? said.dataset.copied : said.dataset.notCopied; });
  });
}
`;

/** SHA-256 of `pageScript`, Base64; a test compares them. */
export const pageScriptHash = "oGhwtEhEjhDY7ZlMJHdjJLh3SdZ1wEuGcG38T2aeBk4=";
