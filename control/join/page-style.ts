/** The page's only style sheet: no font, image or file from elsewhere. Allowed by its hash. */
export const pageStyle = `
:root {
  color-scheme: light dark;
  --paper: #faf8f3; --sheet: #ffffff; --ink: #1e2124; --soft: #575b60; --rule: #ded8cb; --well: #f4f1ea;
  --accent: #0b5a54; --on-accent: #ffffff; --note: #f6edd6; --note-rule: #b8892b;
  --serif: "Iowan Old Style", "Palatino Linotype", Palatino, "Book Antiqua", Georgia, "Liberation Serif", serif;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
  --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #131619; --sheet: #1a1e22; --ink: #e9e6df; --soft: #a9aeb4; --rule: #343a40; --well: #22272c;
    --accent: #86d3c9; --on-accent: #0d1f1d; --note: #2a2416; --note-rule: #c99b3f;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.6 var(--sans); overflow-wrap: break-word; hanging-punctuation: first;
}
header, main, footer { max-width: 44rem; margin-inline: auto; padding-inline: clamp(1.25rem, 5vw, 2rem); }
header { display: flex; justify-content: space-between; align-items: baseline; padding-block: 1.5rem 0; }
.mark { margin: 0; font: 600 1.25rem/1 var(--serif); letter-spacing: .02em; color: var(--accent); }
nav ul { display: flex; gap: 1.25rem; margin: 0; padding: 0; list-style: none; font-size: .9375rem; }
nav [aria-current] { color: var(--soft); }
a { color: var(--accent); text-underline-offset: .2em; text-decoration-thickness: 1px; }
a:hover { text-decoration-thickness: 2px; }
h1, h2 { font-family: var(--serif); font-weight: 600; line-height: 1.2; text-wrap: balance; }
h1 { margin: clamp(2rem, 7vw, 3.25rem) 0 1rem; font-size: clamp(1.75rem, 5.5vw, 2.5rem); letter-spacing: -.01em; }
h2 { margin: 0 0 .75rem; font-size: 1.375rem; }
h3 { margin: 0; font-size: 1rem; font-weight: 600; line-height: 1.4; }
p { margin: 0 0 .75rem; text-wrap: pretty; }
section, aside { margin-block: 2.75rem 0; }
.lead { font-size: 1.125rem; color: var(--soft); }
.facts { margin: 0; border-block-start: 1px solid var(--rule); }
.facts > div { display: grid; gap: .125rem 1.5rem; padding-block: .875rem; border-block-end: 1px solid var(--rule); }
dt { color: var(--soft); font-size: .9375rem; line-height: 1.7; }
dd { margin: 0; }
dd p { margin: .25rem 0 0; }
.value { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; }
.value > * { display: block; }
.value .soft { font-weight: 400; }
.soft { color: var(--soft); font-size: .9375rem; line-height: 1.5; }
@media (min-width: 40rem) { .facts > div { grid-template-columns: 11rem 1fr; } }
code { font-family: var(--mono); font-size: .9375em; font-variant-ligatures: none; overflow-wrap: anywhere; }
.value > code { font-size: 1em; letter-spacing: .01em; }
.note { padding: 1.125rem 1.25rem; background: var(--note); border-inline-start: 4px solid var(--note-rule); border-radius: 4px; }
.note h2 { margin-block-end: .25rem; font-size: 1.125rem; }
.note p { margin: 0; }
.system { margin-block: 1.25rem; padding: 1.125rem 1.25rem; background: var(--sheet); border: 1px solid var(--rule); border-radius: 10px; }
.system p { margin: 0; }
.line { display: flex; flex-wrap: wrap; gap: .75rem; align-items: center; margin-block-start: .75rem; }
pre {
  flex: 1 1 16rem; min-width: 0; margin: 0; padding: .75rem .875rem; background: var(--well); border-radius: 6px;
  font: .875rem/1.5 var(--mono); white-space: pre-wrap; overflow-wrap: anywhere; user-select: all; -webkit-user-select: all;
}
pre code { font-size: 1em; }
button {
  min-height: 2.75rem; padding: .5rem 1.25rem; border: 1px solid transparent; border-radius: 6px; cursor: pointer;
  background: var(--accent); color: var(--on-accent); font: 600 1rem/1.2 var(--sans);
}
button:hover { filter: brightness(1.1); }
[hidden] { display: none; }
.said { flex-basis: 100%; color: var(--accent); font-size: .9375rem; font-weight: 600; }
.said:empty { position: absolute; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; border-radius: 4px; }
section ul { margin: 0; padding-inline-start: 1.25rem; }
section li { margin-block-end: .5rem; padding-inline-start: .25rem; }
section li::marker { color: var(--soft); }
footer { margin-block-start: 3rem; padding-block: 1.25rem 2.5rem; color: var(--soft); font-size: .9375rem; }
footer p { margin: 0; padding-block-start: 1.25rem; border-block-start: 1px solid var(--rule); }
@media (forced-colors: active) { button, .system, .note { border: 1px solid ButtonBorder; } }
@media print { button, nav { display: none; } }
`;

/** SHA-256 of `pageStyle`, Base64; a test compares them. */
export const pageStyleHash = "jZOuVBCEyBUG43qOi7d+e4+uvmtJLSe3z2ILFSWk7O8=";
