/** What a run of the tests saw of one method. */
export interface Seen {
  readonly title: string;
  readonly halfClose: boolean;
  readonly reset: boolean;
  readonly counts: boolean;
  /** The way to a relay that speaks TLS is encrypted. */
  readonly encrypted: boolean;
}

/** `docs/join-methods.md`, from what was seen. */
export function methodsTable(seen: readonly Seen[]): string {
  const yesNo = (value: boolean): string => (value ? "yes" : "no");
  const head = [
    "method",
    "ssh, scp, 5 clients at once",
    "late answer after half-close",
    "reset stays a reset",
    "counts bytes",
    "encrypted leg",
  ];
  const rows = seen.map(({ title, halfClose, reset, counts, encrypted }) => [
    title,
    "yes",
    yesNo(halfClose),
    yesNo(reset),
    yesNo(counts),
    yesNo(encrypted),
  ]);
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => (row[column] ?? "").length)),
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return `# How an invited machine joins

The line \`curl --proto '=https' -fsSL https://…/j/CODE | sh\` runs a POSIX shell script that asks for consent, then waits for connections with the first
of these that the machine has: \`rdv\`, \`npx\`, \`node\`, \`python3\`, \`perl\`, \`socat\`, \`ncat\`, \`nc\`, \`bash\`. \`RDV_METHOD=socat\` chooses one.
It needs \`curl\` or \`wget\`, and for the last four \`mkfifo\` and \`dd\`. It works under dash, bash, busybox ash and zsh.

This table is what \`RDV_WRITE_DOCS=1 node --test test/join/methods-ends.test.ts\` saw, each method with nothing but its own program on the PATH,
and with \`openssl\` beside it where that is said.

${line(head)}
${rule}
${rows.map(line).join("\n")}

- An installed \`rdv\` takes over with \`rdv join\` and does everything, be it on the PATH or where \`npx\` finds it: in the project of the current folder, among
  the global packages or in npm's cache. \`npx\` is asked offline, and for ten seconds at most, by the package's own name \`@rdv-relay/cli\`: it
  fetches nothing, and a stranger's package that is called \`rdv\` is not run. The PowerShell script does the same.
- node, python3 and perl run one small program that the script fetches beside itself, checks by SHA-256 and keeps in memory; nothing is written to disk.
- socat, ncat, nc and bash are driven by the shell through named pipes in a private temporary folder, which is removed at the end. The bytes then pass
  through one more program a direction, and only the end of a connection is carried, never a reset.
- bash and \`nc\` cannot end one direction of a connection and go on with the other. They are for interactive use, and the script says so before it asks:
  what a service says later than 2 s after its client has ended is lost, with busybox's \`nc\` at once. On systems without \`/proc\`, OpenBSD's \`nc\` does
  not even notice that a connection has ended; the relay then closes it after 10 minutes.
- The leg to the relay is TLS 1.3, pinned to the relay's key as the claim names it, with node, with python3 from 3.7 on where its OpenSSL has TLS 1.3,
  and with perl where it has Net::SSLeay (which comes with IO::Socket::SSL). socat, ncat, nc and bash need OpenSSL's \`openssl\` (1.1 or newer; LibreSSL will not
  do): it fetches the relay's certificate, its key is compared with the claim's, and that certificate is then the only one that is trusted. socat dials in
  TLS by itself; for the others \`openssl s_client\` does, which cannot end one direction alone, so they are then for interactive use.
  Without \`openssl\`, and in PowerShell, the leg is plain TCP, and the script says so before it asks: what passes is then as secret as the service makes it,
  which ssh does and VNC does not. A relay that shows another key, or that has lost its TLS since the screen was shown, ends the script.
- Bytes are counted by the agent itself or by \`dd\`; busybox's \`dd\` may be built without that.
- A relay that vanishes without a word (power, cable) is noticed by node, python3, perl and socat through TCP keepalive; ncat, nc and bash send none.
- Every method waits again by itself when the relay was away, and ends on Ctrl-C, at the end of the invitation's time, and when the inviter ends it.
  A script that is killed with SIGKILL cannot tidy up: node and python3 end with it, and with the others a half that waits ends at the next client, unserved.
`;
}
