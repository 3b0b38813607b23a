/**
 * Every bound and timer of rdv, each with its reason. Durations are milliseconds and sizes bytes unless the
 * name says otherwise.
 */
export const limits = {
  /** A peer has this long to send its whole request head; a shell client on a slow line needs about one second. */
  handshakeMs: 5_000,
  /** Request head of a half. A ticket is about 700 bytes; 8 KiB leaves room for a proxy's own headers. */
  handshakeBytes: 8 * 1024,
  /** A plain client waits this long for an agent's half, then is closed: within the 10 s that a user accepts. */
  clientWaitMs: 10_000,
  /** Bytes a plain client may send before it is paired; beyond this it is left in the kernel's buffer. */
  earlyBytes: 64 * 1024,
  /** First keepalive probe on an idle connection; finds a vanished peer, never cuts a living one. */
  keepAliveMs: 30_000,
  /** Of a pair: further probes, this often … */
  keepAliveEveryMs: 15_000,
  /** … until a peer that has answered none is taken for dead, this long after its last sign; most outages are shorter. */
  peerLostMs: 120_000,
  /** Half-closed and silent: the answer of a service may take minutes, not hours. */
  halfClosedMs: 10 * 60_000,
  /** Bytes queued and not one taken: the reader is stuck or gone. */
  stallMs: 5 * 60_000,
  /** After the end of a refused or finished connection, time for the last bytes to be taken before it is destroyed. */
  lingerMs: 5_000,
  /** Backlog of a listener: 511, Node's default, costs 3 s under a burst. */
  backlog: 4_096,
  /** The longest message of a half inside a WebSocket; both ends keep one whole, and not more. */
  webSocketFrameBytes: 64 * 1024,
  /** A relay that is reached in another way than the preferred one is tried in that one again after this time. */
  preferredAgainMs: 30 * 60_000,
  /** The agent and the relay say `ping` this often on their control connection. */
  heartbeatMs: 15_000,
  /** Three missed heartbeats. */
  deadAfterMs: 45_000,
  /** Reconnect: full jitter over a window that doubles from here … */
  backoffBaseMs: 500,
  /** … to here while the outage is young, so that a restart is healed within seconds … */
  backoffYoungCapMs: 4_000,
  /** … for this long … */
  backoffYoungMs: 60_000,
  /** … and to here for ever after. */
  backoffCapMs: 30_000,
  /** The longest pause that another side may ask for (`Retry-After`): a timer of more than 24.8 days would fire at once. */
  retryAfterMaxMs: 60 * 60_000,
  /** Plain clients of one source address (IPv6: /64) on one session: connections a second, and how many at once. */
  sourceConnectsPerSecond: 20,
  sourceBurst: 100,
  /** Source addresses whose rate is remembered by a relay; the oldest is forgotten first. */
  sourcesRemembered: 10_000,
  /** One source or account has at most this many times the connections of a relay that are still free: 95 of 100. */
  connectionGreed: 19,
  /** The same for the pairs of a session, by source: 224 of 256. */
  pairGreed: 7,
  /** The same for the clients that a session takes in a second: three quarters, so that also small rates have a rest. */
  rateGreed: 3,
  /** Where `rdv up` and `rdv relay` serve metrics on loopback, unless they are told otherwise. */
  metricsPort: 8_789,
  /** Connections there at once: some scrapers. */
  metricsConnections: 16,
  /** HTTP requests on one connection to a relay, each of which has `handshakeMs`: more than that is no half on its way. */
  requestsPerConnection: 16,
  /** Pairs that live at once in one session. */
  pairsPerSession: 256,
  /** Clients that wait at once in one session for an agent's half. */
  clientsWaiting: 256,
  /** Agent halves that wait at once in one session, whatever pool the agent asks for. */
  halvesWaiting: 64,
  /** Waiting agent halves, by default: one to take the next client, one while that is replaced. */
  poolDefault: 2,
  poolMax: 32,
  /** Live pairs of a draining relay may finish for this long. */
  drainMs: 10 * 60_000,
  /** A relay whose control link is lost may come back within this time, and its sessions stay where they are. */
  relayLostMs: 8_000,
  /** An agent that cannot reach a relay which is up is given another one after this time. */
  relayUnreachableMs: 30_000,
  /** Relays that carry one session at once. */
  relaysPerSession: 4,
  /** Regions whose latency an agent tells. */
  regionsMeasured: 16,
  /** Clock skew that a ticket check forgives, in seconds. */
  ticketSkewSeconds: 30,
  /** A ticket's life, in seconds: renewed every `ticketRenewMs`, so at least 1 h is left when the control plane goes away. */
  ticketSeconds: 90 * 60,
  ticketRenewMs: 30 * 60_000,
  /** From a signing key's making until it signs, in seconds: a linked relay learns it within a heartbeat, one that restarts within minutes. */
  signingKeyDelaySeconds: 10 * 60,
  /** A proof of possession is as old as its way and its clock make it, in seconds; it is remembered that long. */
  proofSeconds: 60,
  /** Proofs that a relay remembers at once, each of a ticket that was found good; one owner alone gets half of it. */
  proofsRemembered: 100_000,
  /** Wrong tickets and proofs of one source (IPv6: /64) at a relay: a check costs about 350 µs. */
  wrongTicketRate: { perSecond: 10, burst: 200 },
  /**
   * TLS handshakes of one source (IPv6: /64) at a relay that no good ticket follows, at about 700 µs of CPU each: many
   * agents behind one address may come back at once.
   */
  handshakeRate: { perSecond: 100, burst: 2_000 },
  /** A connection waits this long for a direct path before it takes the relay. */
  directWaitMs: 300,
  /** An agent has this long to find its own addresses and to answer an offer. */
  directAnswerMs: 2_000,
  /** Both ends dial each other for this long before they leave it to the relay. */
  directDialMs: 3_000,
  /** Addresses of one side that the other one tries. */
  candidates: 12,
  /** Attempts to meet that one agent makes at once; each has two ports, and a few connections to relays. */
  directAttempts: 8,
  /** Direct connections that a client keeps ready, after the first one was made. */
  directPool: 2,
  /** The next one is made this much later than one was taken: its client's first bytes come first. */
  directRefillMs: 50,
  /** Direct connections of one client, and of all, that an agent keeps while nothing is asked of them. */
  directIdlePerClient: 8,
  directIdle: 64,
  /** The agent has this long to say that it serves a direct connection; one that has died meanwhile does not. */
  directStartMs: 1_000,
  /** After an attempt that failed, pause before the next: this long at first, doubled up to this. */
  directRetryMs: 5_000,
  directRetryCapMs: 10 * 60_000,
  /** Offers of clients that one session passes on: this many at once, and so many a second. */
  offerRate: { perSecond: 5, burst: 20 },
  /** A ticket as it is sent; one with the longest allow-list has about 5,400 bytes, and the head around it needs some. */
  ticketBytes: 7 * 1024,
  /** A session whose agent went away without goodbye keeps its port this long; a freed port rests this long. */
  stickyMs: 10 * 60_000,
  /** Bodies of API requests. */
  bodyBytes: 64 * 1024,
  /** Answers to API requests: a page of sessions with the longest allow-lists has about 2.5 MB. */
  answerBytes: 8 * 1024 * 1024,
  /** A file of the state directory: the largest, a relay's ended sessions of 90 min, has about 60 bytes each. */
  stateFileBytes: 16 * 1024 * 1024,
  /** A command waits this long for another one that changes the same state directory, a matter of milliseconds. */
  stateChangeMs: 10_000,
  /** A line for a terminal or a log, in characters: the longest of rdv's own, an ssh host key, has about 2,300. */
  lineCharacters: 4_096,
  /** One signal on a control connection. */
  signalBytes: 64 * 1024,
  /** An API request that has no answer by then has failed. */
  requestMs: 10_000,
  /** A connection to the control plane that is no WebSocket takes requests for this long … */
  requestsMs: 60_000,
  /** … and is cut when the last one was not answered by then. */
  lastRequestMs: 15_000,
  /**
   * One account has at most this many times what is left free of a control plane's connections, and of a relay's client
   * ports: four fifths of them alone, and then others find room, because live ones are never taken away.
   */
  accountGreed: 4,
  /** A TCP connect that has no answer by then has failed. */
  dialMs: 10_000,
  /** Sessions of one account. */
  sessionsPerAccount: 10_000,
  /** Keys of one account. */
  keysPerAccount: 200,
  /** Keys of one account that may end within a ticket's life: relays remember each for so long. */
  keysEnded: 1_000,
  /** Names and patterns of sessions that one key is for. */
  namesPerKey: 16,
  /** Entries of one page of a list. */
  pageDefault: 100,
  pageMax: 500,
  /** Pages of one list that a client follows: an account has 20 of sessions at most. */
  pages: 200,
  /** New sessions and keys of one account. */
  createRate: { perSecond: 20, burst: 100 },
  /** WebSockets of one account: after a deploy all its agents come back at once, 10,000 of them within 20 s. */
  connectRate: { perSecond: 500, burst: 2_000 },
  /** Other requests of one account; an object answers about 1,000 a second. */
  requestRate: { perSecond: 100, burst: 400 },
  /**
   * Wrong tokens, each of which costs a look into an account: of one source so many at once, and one more after each
   * `everyMs`; in a second of all that were wrong within the last hour. Each source that is remembered costs 36 bytes.
   */
  wrongTokenRate: { burst: 100, everyMs: 1_000, perSecond: 200, memoryMs: 60 * 60_000, remembered: 131_072 },
  /** CIDRs in one allow-list. */
  allowList: 64,
  /** Life of an invitation, in seconds: by default, and at most. */
  invitationDefaultSeconds: 60 * 60,
  invitationSeconds: 24 * 60 * 60,
  /** Longest life of a raw port, in seconds: who finds it open is the agent. */
  rawSeconds: 60 * 60,
  /**
   * Wrong codes, counted in the same way: each costs a look into an object. Who was not wrong within the last hour gets
   * a try whatever others do, as long as there is room to remember it.
   */
  guessRate: { burst: 10, everyMs: 6_000, perSecond: 160, memoryMs: 60 * 60_000, remembered: 131_072 },
} as const;
