import assert from "node:assert/strict";
import { test } from "node:test";
import { powershellJoinScript, powershellLiteral } from "../../control/join/powershell.ts";

const options = {
  url: "https://rdv.example.org/j/K7Q2X-9FMTR",
  code: "K7Q2X-9FMTR",
  inviter: "Ada Lovelace",
  target: "localhost:22",
  address: "relay.example.org:20000",
  expires: new Date("2026-11-23T15:10:00Z"),
  sessionName: "brave-fox",
  relayTls: true,
};

const nasty = [
  "'; Remove-Item -Recurse C:\\; '",
  "\u2018\u2019\u201A\u201B; iex evil",
  "$(Get-Process) ${env:PATH} $env:USERNAME",
  '`n`0`"',
  '"); Stop-Computer; ("',
  "@'\nhere\n'@",
  "line\r\nbreak\u0000\u001B[2J",
  "{0} {1} %s",
  "#>",
  "Zoë 😀",
  "",
  "'",
  "''",
];

test("a literal is that text and nothing else, by PowerShell's rules of quoting", () => {
  for (const text of nasty) {
    const literal = powershellLiteral(text);
    assert.match(literal, /^[ -~]*$/, "pure ASCII on one line");
    assert.equal(evaluate(literal), text);
  }
});

test("values of strangers change nothing of the script but their own line", () => {
  const plain = powershellJoinScript(options).split("\n");
  for (const inviter of nasty) {
    const lines = powershellJoinScript({ ...options, inviter }).split("\n");
    assert.equal(lines.length, plain.length);
    const changed = lines.filter((line, index) => line !== plain[index]);
    assert.ok(changed.length === 1 && changed[0]?.startsWith("  $inviter = "), changed.join("\n"));
  }
});

test("a value without the shape of one is refused", () => {
  const wrong = [
    { url: "https://x.example/j/$(id)" },
    { code: "A\nStop-Computer" },
    { target: "localhost:22; calc" },
    { target: "$(calc):22" },
    { target: "localhost:99999" },
    { address: "relay'x:1" },
    { sessionName: "a b';" },
  ];
  for (const part of wrong)
    assert.throws(
      () => powershellJoinScript({ ...options, ...part }),
      { code: "internal" },
      JSON.stringify(part),
    );
});

test("the script is ASCII, one block that opens in its second line and closes in its last", () => {
  const script = powershellJoinScript(options);
  assert.match(script, /^[\n -~]*$/);
  const lines = script.trimEnd().split("\n");
  assert.equal(lines[1], "& {");
  assert.equal(lines.at(-1), "}");
  assert.equal(blockEnd(script), script.lastIndexOf("}"), "cut anywhere before, it does not parse");
});

test("the script asks before it claims, and claims before it dials", () => {
  const script = powershellJoinScript(options);
  const consent = script.indexOf("if (-not (Confirm-Invitation)) { return }");
  const claim = script.indexOf("try { $claim = Get-Claim }");
  const loop = script.indexOf("while ($state.reason -eq '')");
  assert.ok(consent > 0 && consent < claim && claim < loop);
  assert.doesNotMatch(script.slice(0, consent), /^ {2}(?:Add-Halves|New-Half|Get-Claim)/m);
  const installed = script.indexOf("$found = @(Find-Rdv)");
  assert.ok(installed > 0 && installed < consent, "an installed rdv comes first, and asks by itself");
});

test("the script speaks the documented handshake, and uses only what both PowerShells have", () => {
  const script = powershellJoinScript(options);
  for (const part of [
    "'GET /v1/agent HTTP/1.1'",
    "'Upgrade: rdv/1'",
    "'Expect: 100-continue'",
    "'Authorization: Bearer '",
  ])
    assert.ok(script.includes(part), part);
  assert.match(script, /\.Shutdown\(\[Net\.Sockets\.SocketShutdown\]::Send\)/);
  for (const newer of [
    /\?\?/,
    /\?\./,
    /&&/,
    /\|\|/,
    /\? .* : /,
    /ForEach-Object -Parallel/,
    /Add-Type/,
    /Out-File|Set-Content/,
  ])
    assert.doesNotMatch(script, newer);
});

/** Reads `'…'` or `(-join @('…', [char]39, …))` as PowerShell does, where five characters are a single quote. */
function evaluate(literal: string): string {
  const inner = /^\(-join @\((.*)\)\)$/.exec(literal)?.[1] ?? literal;
  let text = "";
  let rest = inner;
  while (rest !== "") {
    const part = /^(?:'([^'\u2018-\u201B]*)'|\[char\](\d+))(?:, |$)/.exec(rest);
    assert.ok(part, `cannot read ${rest}`);
    text += part[1] ?? String.fromCharCode(Number(part[2]));
    rest = rest.slice(part[0].length);
  }
  return text;
}

/** Where the block that opens first is closed, outside strings and comments. */
function blockEnd(script: string): number {
  let depth = 0;
  for (const token of script.matchAll(/'[^']*'|"[^"]*"|#[^\n]*|[{}]/g)) {
    if (token[0] === "{") depth += 1;
    if (token[0] === "}") depth -= 1;
    if (token[0] === "}" && depth === 0) return token.index;
  }
  return -1;
}
