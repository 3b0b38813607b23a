/**
 * The part of the PowerShell script that is the same for everybody. One thread and `Socket.Select`: a loop that
 * Ctrl-C can stop between two statements, and that needs neither a compiler nor a file.
 */
export const powershellBody = String.raw`
  # What follows is the same for everybody. It dials out only, needs no administrator, and opens no port here.
  # To agree without being asked: $env:RDV_YES = '1'
  Set-StrictMode -Version 2.0
  $ErrorActionPreference = 'Stop'
  $latin1 = [Text.Encoding]::GetEncoding(28591)
  $newline = '{0}{1}' -f [char]13, [char]10
  $none = [Net.Sockets.SocketFlags]::None
  $clock = [Diagnostics.Stopwatch]::StartNew()
  $halves = New-Object Collections.ArrayList
  $pairs = New-Object Collections.ArrayList
  $state = @{ reason = ''; ready = $false; away = $false; retryAt = 0; window = 500; demand = 0; until = 0 }
  $service = if ($targetHost.Contains(':')) { '[{0}]:{1}' -f $targetHost, $targetPort } else { '{0}:{1}' -f $targetHost, $targetPort }

  function Say($text) { # All that others wrote and is shown passes here: it must not steer a terminal or look like a line of ours.
    $plain = ([string]$text) -creplace '[^ -~]', '?'
    Write-Host ('rdv: ' + $plain.Substring(0, [Math]::Min(300, $plain.Length)))
  }
  function Why($problem) { return $problem.Exception.GetBaseException().Message }

  function Find-Rdv { # The command that runs an installed rdv, which does everything; or nothing.
    $rdv = Get-Command rdv -CommandType Application -ErrorAction SilentlyContinue | Select-Object -First 1
    if ($null -ne $rdv) { return $rdv.Path }
    $npx = Get-Command npx -CommandType Application -ErrorAction SilentlyContinue | Select-Object -First 1
    if ($null -eq $npx) { return }
    $start = New-Object Diagnostics.ProcessStartInfo($npx.Path, '--no-install @rdv-relay/cli --version')
    $start.UseShellExecute = $false
    $start.CreateNoWindow = $true
    $start.RedirectStandardInput = $true
    $start.RedirectStandardOutput = $true
    $start.RedirectStandardError = $true
    $start.EnvironmentVariables['npm_config_offline'] = 'true'
    try {
      $probe = [Diagnostics.Process]::Start($start)
      $probe.StandardInput.Close()
      if (-not $probe.WaitForExit(10000)) { $probe.Kill(); return }
      if ($probe.ExitCode -eq 0) { return $npx.Path, '--no-install', '@rdv-relay/cli' }
    } catch { }
  }

  function Invoke-Rdv($command, $more) { # Offline, npx runs what is installed already and fetches nothing by its name.
    $arguments = @($more) + 'join' + $url
    if ($env:RDV_YES -eq '1') { $arguments += '--yes' }
    $before = $env:npm_config_offline
    $env:npm_config_offline = 'true'
    try { & $command @arguments } finally { $env:npm_config_offline = $before }
  }

  function Find-Addresses($name) { # IPv4 first: a service that listens on one address listens there.
    return [Net.Dns]::GetHostAddresses($name) | Sort-Object { [int]($_.AddressFamily -ne [Net.Sockets.AddressFamily]::InterNetwork) }
  }

  function Test-Special($to) { # Link-local, or where a cloud keeps the secrets of its machines.
    if ($to.IsIPv4MappedToIPv6) { $to = $to.MapToIPv4() }
    return $to.IsIPv6LinkLocal -or $to.ToString() -match '\A(169\.254\.|100\.100\.100\.200\z|fd00:ec2::254\z)'
  }

  function Confirm-Invitation {
    $shown = @($targets | ForEach-Object { $_.ToString() }) -join ' or '
    $special = @($targets | Where-Object { Test-Special $_ })
    $end = (New-Object DateTime(1970, 1, 1, 0, 0, 0, [DateTimeKind]::Utc)).AddSeconds($expires).ToLocalTime()
    Write-Host ''
    Write-Host ('  {0} asks to reach a service of this computer:' -f $inviter)
    Write-Host ''
    Write-Host ('    what   {0}, which is {1}' -f $service, $shown)
    Write-Host ('    from   {0} (session {1})' -f $address, $session)
    Write-Host ('    until  {0}' -f $end.ToString('yyyy-MM-dd HH:mm zzz'))
    Write-Host ('    with   PowerShell {0}, in plain TCP: the way to the relay is not encrypted' -f $PSVersionTable.PSVersion)
    Write-Host ''
    Write-Host '  Nothing can be reached before you agree, and Ctrl-C ends it at any moment.'
    Write-Host ''
    $word = if ($special.Length -gt 0) { $special[0].ToString() } else { '1' }
    if ($env:RDV_YES -ceq $word) { return $true }
    $cannotAsk = 'cannot ask here; to agree without being asked, set $env:RDV_YES to 1 first'
    if ($Host.Name -eq 'ConsoleHost' -and [Console]::IsInputRedirected) { Say $cannotAsk; return $false }
    if ($special.Length -gt 0) { Write-Host '  This address is no ordinary service: it may give out the secrets of this computer.' }
    $question = if ($special.Length -gt 0) { '  To allow it all the same, type the address' } else { '  Allow it? [y/N]' }
    try { $answer = Read-Host $question } catch { Say $cannotAsk; return $false }
    if ($special.Length -gt 0 -and $answer.Trim() -ceq $word) { return $true }
    if ($special.Length -eq 0 -and $answer -match '\A\s*(y|yes|o|oui)\s*\z') { return $true }
    Say 'not allowed; nothing was opened'
    return $false
  }

  function Get-Machine { # The same computer may come back with the same code; nobody learns its own number from this.
    $own = [Guid]::NewGuid().ToString('N')
    try { $own = (Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Microsoft\Cryptography' -Name MachineGuid).MachineGuid } catch { }
    $hash = [Security.Cryptography.SHA256]::Create()
    try { $bytes = $hash.ComputeHash([Text.Encoding]::UTF8.GetBytes($own + ' ' + $url)) } finally { $hash.Dispose() }
    return [BitConverter]::ToString($bytes, 0, 16).Replace('-', '').ToLowerInvariant()
  }

  function Get-Claim { # Exchanges the code for a ticket, which can only wait for connections of this one session.
    $form = @{
      host = ([Net.Dns]::GetHostName() -replace '[^A-Za-z0-9._-]', '')
      user = ([Environment]::UserName -replace '[^A-Za-z0-9._-]', '')
      method = 'powershell'
      machine = (Get-Machine)
    }
    $claim = @{ relay = ''; port = ''; ticket = ''; pool = '2'; left = ''; expires = '' }
    $answer = Invoke-RestMethod -Method Post -Uri ($url + '/claim') -Body $form -Headers @{ Accept = 'text/plain' } -TimeoutSec 30 -MaximumRedirection 0
    foreach ($line in ([string]$answer -split '\r?\n')) {
      if ($line -cmatch '\A([a-z]+)=([ -~]*)\z' -and $claim.ContainsKey($Matches[1])) { $claim[$Matches[1]] = $Matches[2] }
    }
    if ($claim.left -eq '') { $claim.left = [string][Math]::Max(0, $expires - [DateTimeOffset]::UtcNow.ToUnixTimeSeconds()) }
    $sound = $claim.relay -cmatch '\A[A-Za-z0-9_:][A-Za-z0-9._:-]{0,252}\z' -and $claim.ticket -cmatch '\A[A-Za-z0-9._-]{1,8000}\z'
    $sound = $sound -and $claim.port -cmatch '\A[1-9][0-9]{0,4}\z' -and $claim.pool -cmatch '\A[0-9]{1,4}\z' -and $claim.left -cmatch '\A[0-9]{1,7}\z'
    if (-not $sound) { throw 'the answer to the claim is not understood' }
    return $claim
  }

  function New-Dial($addresses, $port) {
    return @{ addresses = @($addresses); next = 0; port = [int]$port; socket = $null; pending = $null; until = 0; failure = 'no address' }
  }

  function Step-Dial($dial) { # The connected socket, or null while it is not; throws when no address answers.
    while ($true) {
      if ($null -eq $dial.socket) {
        if ($dial.next -ge $dial.addresses.Length) { throw $dial.failure }
        $to = $dial.addresses[$dial.next]
        $dial.next += 1
        $dial.until = $clock.ElapsedMilliseconds + 10000
        $dial.socket = New-Object Net.Sockets.Socket($to.AddressFamily, [Net.Sockets.SocketType]::Stream, [Net.Sockets.ProtocolType]::Tcp)
        $dial.pending = $dial.socket.BeginConnect($to, $dial.port, $null, $null)
      }
      if (-not $dial.pending.IsCompleted -and $clock.ElapsedMilliseconds -lt $dial.until) { return $null }
      try {
        if (-not $dial.pending.IsCompleted) { throw 'no answer in time' }
        $dial.socket.EndConnect($dial.pending)
        $dial.socket.NoDelay = $true
        $dial.socket.SetSocketOption([Net.Sockets.SocketOptionLevel]::Socket, [Net.Sockets.SocketOptionName]::KeepAlive, $true)
        $dial.socket.Blocking = $false
        return $dial.socket
      } catch {
        $dial.failure = Why $_
        $dial.socket.Close()
        $dial.socket = $null
      }
    }
  }

  function Close-Socket($socket, $reset) {
    if ($null -eq $socket) { return }
    try {
      if ($reset) { $socket.LingerState = New-Object Net.Sockets.LingerOption($true, 0) }
      $socket.Close()
    } catch { }
  }

  function Receive-Bytes($socket, $buffer) { # How many; 0 at the end, -1 when there are none yet.
    $problem = [Net.Sockets.SocketError]::Success
    $got = $socket.Receive($buffer, 0, $buffer.Length, $none, [ref]$problem)
    if ($problem -eq [Net.Sockets.SocketError]::WouldBlock) { return -1 }
    if ($problem -ne [Net.Sockets.SocketError]::Success) { throw ('the connection broke ({0})' -f $problem) }
    return $got
  }

  function New-Half {
    $half = @{ dial = $null; socket = $null; text = ''; until = 0; accepted = $false; buffer = [byte[]]::new(8192) }
    $half.until = $clock.ElapsedMilliseconds + 20000
    [void]$halves.Add($half)
    try { $half.dial = New-Dial (Find-Addresses $claim.relay) $claim.port; Step-Half $half } catch { Remove-Half $half (Why $_) }
  }

  function Step-Half($half) {
    if (-not $half.accepted -and $clock.ElapsedMilliseconds -gt $half.until) { throw 'no answer in time' }
    if ($null -ne $half.socket) { return }
    $half.socket = Step-Dial $half.dial
    if ($null -eq $half.socket) { return }
    $relay = if ($claim.relay.Contains(':')) { '[' + $claim.relay + ']' } else { $claim.relay }
    $lines = 'GET /v1/agent HTTP/1.1', ('Host: {0}:{1}' -f $relay, $claim.port), 'Connection: Upgrade', 'Upgrade: rdv/1',
      'Expect: 100-continue', ('Authorization: Bearer ' + $claim.ticket), '', ''
    [void]$half.socket.Send($latin1.GetBytes($lines -join $newline))
  }

  function Remove-Half($half, $why) { # One half at a time asks a relay that is away, after a part of a window that doubles.
    $halves.Remove($half)
    Close-Socket $half.socket $true
    if ($null -ne $half.dial) { Close-Socket $half.dial.socket $true }
    if (-not $state.away) { Say ('the relay {0} is away ({1}); trying again' -f $claim.relay, $why) }
    $state.away = $true
    $state.retryAt = $clock.ElapsedMilliseconds + 50 + (Get-Random -Minimum 0 -Maximum ([int]$state.window))
    $state.window = if ($state.window -lt 4000) { $state.window * 2 } else { [Math]::Min($state.window + 1000, 30000) }
  }

  function Read-Head($half) {
    $got = Receive-Bytes $half.socket $half.buffer
    if ($got -lt 0) { return }
    $half.text += $latin1.GetString($half.buffer, 0, $got)
    while ($true) {
      $end = $half.text.IndexOf($newline + $newline, [StringComparison]::Ordinal)
      if ($end -lt 0) {
        if ($got -eq 0 -or $half.text.Length -gt 8192) { throw 'the connection has ended' }
        return
      }
      $lines = @($half.text.Substring(0, $end) -split $newline)
      $rest = $half.text.Substring($end + 4)
      if ($lines[0] -cnotmatch '\AHTTP/1\.1 ([1-5][0-9]{2})( |\z)') { throw 'not an rdv relay' }
      $status = [int]$Matches[1]
      if ($status -eq 100) { $half.text = $rest; Set-Accepted $half; continue }
      if ($status -eq 101) { $halves.Remove($half); Add-Pair $half.socket $lines $rest; return }
      if ($status -eq 401) { $state.reason = 'the ticket has expired'; return }
      if ($status -eq 410) { $state.reason = 'the inviter has ended the session'; return }
      if ($status -eq 409 -and $rest.Contains('"replaced"')) { $state.reason = 'another computer has taken over'; return }
      if ($status -eq 409 -and $got -gt 0 -and $rest.Length -lt 8192) { return }
      throw ('it answered {0}' -f $status)
    }
  }

  function Set-Accepted($half) {
    $half.accepted = $true
    if (-not $state.ready) { Say ('ready: {0} leads to {1}, by PowerShell; Ctrl-C ends it' -f $address, $service) }
    elseif ($state.away) { Say 'the relay is back' }
    $state.ready = $true
    $state.away = $false
    $state.window = 500
  }

  function New-Flow($from, $to) {
    return @{ from = $from; to = $to; buffer = [byte[]]::new(65536); start = 0; stop = 0; ended = $false; done = $false; bytes = [long]0 }
  }

  function Add-Pair($socket, $lines, $rest) { # The service is dialled only now: an idle connection costs it a slot.
    $client = '?'
    $state.demand = 0
    foreach ($line in $lines) {
      if ($line -match '\Ardv-client:[ \t]*(([0-9]{1,3}(\.[0-9]{1,3}){3}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5})[ \t]*\z') { $client = $Matches[1] }
      if ($line -match '\Ardv-demand:[ \t]*([0-9]{1,4})[ \t]*\z') { $state.demand = [int]$Matches[1] }
    }
    $pair = @{ client = $client; relay = $socket; dial = $null; local = $null; toService = (New-Flow $socket $null); toClient = (New-Flow $null $socket) }
    $early = $latin1.GetBytes($rest)
    $early.CopyTo($pair.toService.buffer, 0)
    $pair.toService.stop = $early.Length
    [void]$pairs.Add($pair)
    Say ('opened: ' + $client)
    try { $pair.dial = New-Dial $targets $targetPort } catch { Remove-Pair $pair (Why $_) }
  }

  function Step-Pair($pair) {
    if ($null -ne $pair.local) { return }
    try { $pair.local = Step-Dial $pair.dial } catch { throw ('the service {0} does not answer ({1})' -f $service, (Why $_)) }
    $pair.toService.to = $pair.local
    $pair.toClient.from = $pair.local
  }

  function Move-Bytes($flow) { # Writes what is there; at the end tells the other side that no more will come.
    while ($flow.start -lt $flow.stop) {
      $problem = [Net.Sockets.SocketError]::Success
      $sent = $flow.to.Send($flow.buffer, $flow.start, $flow.stop - $flow.start, $none, [ref]$problem)
      if ($problem -eq [Net.Sockets.SocketError]::WouldBlock) { return }
      if ($problem -ne [Net.Sockets.SocketError]::Success) { throw ('the connection broke ({0})' -f $problem) }
      $flow.start += $sent
      $flow.bytes += $sent
    }
    if ($flow.ended -and -not $flow.done) {
      $flow.done = $true
      $flow.to.Shutdown([Net.Sockets.SocketShutdown]::Send)
    }
  }

  function Read-Flow($flow) {
    $got = Receive-Bytes $flow.from $flow.buffer
    if ($got -lt 0) { return }
    $flow.start = 0
    $flow.stop = $got
    $flow.ended = $got -eq 0
    Move-Bytes $flow
  }

  function Remove-Pair($pair, $why) { # A reason means that it broke: both sides see a reset, never a clean end.
    $pairs.Remove($pair)
    foreach ($socket in $pair.relay, $pair.local) { Close-Socket $socket ($why -ne '') }
    if ($null -eq $pair.local -and $null -ne $pair.dial) { Close-Socket $pair.dial.socket $true }
    $note = if ($why) { '; ' + $why } else { '' }
    Say ('closed: {0}, {1} bytes in, {2} bytes out{3}' -f $pair.client, $pair.toService.bytes, $pair.toClient.bytes, $note)
  }

  function Add-Halves {
    $wanted = if ($state.ready -and -not $state.away) { [Math]::Min(32, [Math]::Max([int]$claim.pool, $state.demand)) } else { 1 }
    while ($halves.Count -lt $wanted -and $clock.ElapsedMilliseconds -ge $state.retryAt) { New-Half }
  }

  function Wait-Sockets($readers, $writers) {
    $dialling = $false
    foreach ($half in $halves) { if ($null -eq $half.socket) { $dialling = $true } else { [void]$readers.Add($half.socket) } }
    foreach ($pair in $pairs) {
      if ($null -eq $pair.local) { $dialling = $true; continue }
      foreach ($flow in $pair.toService, $pair.toClient) {
        if ($flow.start -lt $flow.stop) { [void]$writers.Add($flow.to) } elseif (-not $flow.ended) { [void]$readers.Add($flow.from) }
      }
    }
    $pause = if ($dialling) { 10 } else { 250 }
    if ($readers.Count + $writers.Count -eq 0) { Start-Sleep -Milliseconds $pause; return }
    [Net.Sockets.Socket]::Select($readers, $writers, $null, $pause * 1000)
  }

  function Step-All($readers, $writers) {
    foreach ($half in @($halves)) {
      try {
        Step-Half $half
        if ($null -ne $half.socket -and $readers.Contains($half.socket)) { Read-Head $half }
      } catch { Remove-Half $half (Why $_) }
    }
    foreach ($pair in @($pairs)) {
      try {
        Step-Pair $pair
        if ($null -eq $pair.local) { continue }
        foreach ($flow in $pair.toService, $pair.toClient) {
          if ($writers.Contains($flow.to)) { Move-Bytes $flow }
          if ($flow.start -eq $flow.stop -and -not $flow.ended -and $readers.Contains($flow.from)) { Read-Flow $flow }
        }
        if ($pair.toService.done -and $pair.toClient.done) { Remove-Pair $pair '' }
      } catch { Remove-Pair $pair (Why $_) }
    }
  }

  if ($env:RDV_METHOD -ne 'powershell') {
    $found = @(Find-Rdv)
    if ($found.Length -gt 0) {
      Say ('uses {0}; to do without it set $env:RDV_METHOD to powershell first' -f $found[0])
      Invoke-Rdv $found[0] @($found | Select-Object -Skip 1) # It asks by itself.
      return
    }
  }
  try { $targets = @(Find-Addresses $targetHost) } catch { $targets = @() } # Once: what was agreed to is what is dialled.
  if ($targets.Length -eq 0) { Say ('cannot find {0}' -f $targetHost); return }
  if (-not (Confirm-Invitation)) { return }
  try { $claim = Get-Claim } catch {
    $told = if ($_.ErrorDetails) { $_.ErrorDetails.Message } else { Why $_ }
    Say ('the invitation was refused: ' + $told)
    return
  }
  $state.until = $clock.ElapsedMilliseconds + 1000 * [long]$claim.left
  try {
    while ($state.reason -eq '') {
      Add-Halves
      $readers = New-Object 'System.Collections.Generic.List[System.Net.Sockets.Socket]'
      $writers = New-Object 'System.Collections.Generic.List[System.Net.Sockets.Socket]'
      Wait-Sockets $readers $writers
      Step-All $readers $writers
      if ($clock.ElapsedMilliseconds -ge $state.until) { $state.reason = 'the time of the invitation is over' }
    }
  } finally {
    foreach ($half in @($halves)) {
      Close-Socket $half.socket $true
      if ($null -ne $half.dial) { Close-Socket $half.dial.socket $true }
    }
    foreach ($pair in @($pairs)) { Remove-Pair $pair 'cut' }
    $last = if ($state.reason) { $state.reason } else { 'stopped' }
    Say ($last + '; nothing can be reached any more')
  }
`;
