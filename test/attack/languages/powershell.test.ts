import assert from "node:assert/strict";
import { powershellBody } from "../../../control/join/powershell-body.ts";
import { attack } from "../../fixtures/attack.ts";

attack(
  {
    point: 1,
    title: "foreign text reaches a place of the PowerShell script where text is code, a format or a pattern",
    from: import.meta.url,
  },
  async () => {
    const code = withoutComments(powershellBody);
    const bare = code.replace(/'[^']*'/g, "''");
    assert.doesNotMatch(bare, /"/, "double quotes interpolate; every text is between single quotes");
    assert.doesNotMatch(
      bare,
      /\b(?:iex|Invoke-Expression|Invoke-Command|Add-Type|ScriptBlock|ExpandString|NewScriptBlock)\b|\.Invoke\(/i,
    );
    assert.deepEqual(bare.match(/(?<=[\s({;])[&.] \S.*/g), [
      "& $command @arguments } finally { $env:npm_config_offline = $before }",
    ]);
    const formats = [...bare.matchAll(/(\S+) -f\b/g)].map(([, left]) => left);
    for (const left of formats) assert.match(left ?? "", /''$/, "a format is a literal");
    const patterns = [...bare.matchAll(/ -(?:c|i)?(?:not)?(?:match|replace|split)\b (\S+)/g)];
    for (const [whole, operand] of patterns)
      assert.match(operand ?? "", /^(?:''|\$newline)/, `a pattern is a literal: ${whole}`);
    return {
      tries: formats.length + patterns.length + 1,
      answer: "no such place: literals alone (static check)",
    };
  },
);

attack(
  {
    point: 1,
    title:
      "a relay or control plane sends the PowerShell script values of another shape, or text for its window",
    from: import.meta.url,
  },
  async () => {
    const shapes = [...withoutComments(powershellBody).matchAll(/-(?:c|i)?(?:not)?match '([^']*)'/g)].map(
      ([, shape]) => shape ?? "",
    );
    for (const shape of shapes) assert.match(shape, /^\\A.*\\z\)?$/, "the whole value has the shape");
    const printing = powershellBody.match(/^.*Write-Host.*$/gm) ?? [];
    const consent = /function Confirm-Invitation \{[\s\S]*?\n {2}\}/.exec(powershellBody)?.[0] ?? "";
    for (const line of printing)
      assert.ok(consent.includes(line) || line.includes("'rdv: ' + $plain"), `another way out: ${line}`);
    return {
      tries: shapes.length + printing.length,
      answer: "whole values are compared, and one function prints plain text (static check)",
    };
  },
);

attack(
  {
    point: 14,
    title: "a name leads to another address after consent, or to a cloud's metadata, in PowerShell",
    from: import.meta.url,
  },
  async () => {
    const lookUps = powershellBody.match(/Find-Addresses \$targetHost/g) ?? [];
    assert.equal(lookUps.length, 1, "the name is resolved once");
    assert.ok(
      powershellBody.indexOf("Find-Addresses $targetHost") < powershellBody.indexOf("(Confirm-Invitation)"),
    );
    assert.match(powershellBody, /New-Dial \$targets \$targetPort/);
    const special = /'(\\A\(169[^']*)'/.exec(powershellBody)?.[1] ?? "";
    const pattern = new RegExp(special.replace("\\A", "^").replaceAll("\\z", "$"));
    const places = ["169.254.169.254", "169.254.0.1", "100.100.100.200", "fd00:ec2::254"];
    for (const place of places) assert.match(place, pattern);
    for (const plain of ["127.0.0.1", "192.168.1.1", "::1", "100.100.100.20"])
      assert.doesNotMatch(plain, pattern);
    return {
      tries: places.length + 1,
      answer:
        "resolved once, shown, pinned; the address itself must be typed for such a place (static check)",
    };
  },
);

/** Comments hold quotes of their own. A `#` between single quotes begins none. */
function withoutComments(script: string): string {
  return script.replace(/('[^'\n]*')|#[^\n]*/g, "$1");
}
