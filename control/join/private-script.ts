import { joinLines } from "./page-lines.ts";

/**
 * The POSIX shell script of a private invitation. Its inviter comes encrypted from end to end, and that end is rdv
 * itself: the script hands over to it, or says what to do. Throws `internal` for a URL that could mean something to a shell.
 */
export function privateJoinScript(url: string): string {
  joinLines(url);
  return `#!/bin/sh
# rdv, a private invitation: what passes is encrypted from end to end, and this end needs rdv itself.
main() {
  url='${url}'
  export npm_config_offline=true # npx runs an rdv that is installed, and fetches nothing by its name.
  if command -v rdv >/dev/null 2>&1; then
    set -- rdv join "$@" "$url"
  elif npx --no-install @rdv-relay/cli --version </dev/null >/dev/null 2>&1; then
    set -- npx --no-install @rdv-relay/cli join "$@" "$url"
  else
    printf 'rdv: %s\\n' 'this invitation is private, and needs rdv itself; install rdv, then:' "rdv join '$url'" >&2
    exit 1
  fi
  (: </dev/tty) 2>/dev/null && exec </dev/tty
  exec "$@" # It asks by itself.
}
main "$@"
`;
}

/** The same for PowerShell, which must not lose its window to an `exit`. */
export function privatePowershellScript(url: string): string {
  joinLines(url);
  return `# rdv, a private invitation: what passes is encrypted from end to end, and this end needs rdv itself.
& {
  $url = '${url}'
  if (Get-Command rdv -ErrorAction SilentlyContinue) { rdv join $url; return }
  Write-Host 'rdv: this invitation is private, and needs rdv itself; install rdv, then:'
  Write-Host ('rdv: rdv join ' + [char]39 + $url + [char]39)
}
`;
}
