/** What a scene of the tests saw. */
export interface SeenNetwork {
  readonly network: string;
  /** What whoever runs `rdv` there has to do. */
  readonly set: string;
  /** How the agent reached its relay. */
  readonly way: string;
  readonly checked: string;
}

/** `docs/networks.md`, from what was seen. */
export function networksPage(seen: readonly SeenNetwork[]): string {
  const head = ["network", "to be set", "the relay is reached", "checked"];
  const rows = seen.map(({ network, set, way, checked }) => [network, set, way, checked]);
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => (row[column] ?? "").length)),
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return `# Getting out of a network

\`rdv\` only dials out: to the control plane (HTTPS and one WebSocket) and to a relay's shared port. Most networks need nothing more.
This page is about the others. \`rdv doctor\` says which of these is the matter where you are.

This table is what \`RDV_WRITE_DOCS=1 node --test test/netns/networks.test.ts\` saw, with real programs in networks of their own.

${line(head)}
${rule}
${rows.map(line).join("\n")}

## HTTP proxies

\`HTTPS_PROXY\`, \`HTTP_PROXY\`, \`ALL_PROXY\` and \`NO_PROXY\` are obeyed by every command that dials out for you: \`expose\`, \`connect\`, \`ssh\`, \`join\`, \`invite\`,
\`login\`, \`sessions\`, \`keys\`, \`relays\`. \`rdv up\` and \`rdv relay\` are servers and go directly.

| what                        | variable                                                                |
| --------------------------- | ----------------------------------------------------------------------- |
| an \`https://\` control plane | \`HTTPS_PROXY\`, else \`ALL_PROXY\`                                         |
| an \`http://\` control plane  | \`HTTP_PROXY\`, else \`ALL_PROXY\`                                          |
| relays                      | \`HTTPS_PROXY\`, else \`ALL_PROXY\`: to a proxy they are as opaque as https |
| what goes directly          | \`NO_PROXY\`; loopback always goes directly                               |

- Each name is also read in lower case, which goes first. An empty variable counts as none.
- A proxy is \`http://HOST:PORT\` or \`http://USER:PASSWORD@HOST:PORT\`, with special characters percent-encoded. The password is in no log and no message.
  A proxy that is itself spoken to in TLS or in SOCKS is not supported: it is refused with a message, never left out silently.
- Everything goes through tunnels (\`CONNECT\`), so of https and of relays with TLS the proxy sees host names and ports alone, unless it breaks TLS open: then the control
  plane's certificate must be known to Node (\`NODE_EXTRA_CA_CERTS=/path/ca.pem\`), and connections to relays are refused, because a relay is known by its key alone.
- \`NO_PROXY\` is a list with commas or spaces: \`*\`; \`example.org\`, \`.example.org\` or \`*.example.org\`, which mean the name and all below it; an address;
  a network such as \`10.0.0.0/8\`; each with \`:PORT\` behind it if only that port is meant.
- Halves go through a proxy inside a WebSocket (below): proxies, tinyproxy for one, take the end of one direction for the end of both, and close tunnels in which
  nothing was said for some minutes. \`--transport tcp\` leaves it out: less work for both ends, but answers that come after a half-close may be lost with the connection.

Where relays are reached through a proxy, \`rdv connect\` and the agent dial nothing directly, not even each other; \`rdv connect --direct only\` asks for it all the same.

Many proxies open tunnels to port 443 alone. Then let the relay listen there (\`rdv relay --port 443\`), and the control plane too, on another address.

## WebSockets, when nothing else comes through

A half-tunnel is an HTTP request that asks for an upgrade. Reverse proxies, load balancers and some firewalls know one upgrade, WebSocket, and break every other.
The agent and \`rdv connect\` find out by themselves: when something else than the relay answers, or nothing does (the agent waits for a second time), the next
half goes inside a WebSocket to \`/v1/ws\` on the same port, with the very same request and bytes in it. What worked is kept, and every half hour one half tries
whether it is still needed. A connection that is refused, or a port that is silent, is no such sign, because a WebSocket would go to the same port.

\`--transport websocket\` and \`--transport tcp\` decide by hand; \`auto\` is the default. Half-close, reset and slow readers are carried as without it, and pings keep an
idle WebSocket open every 15 s. It costs two to three times the processor time of TLS alone, on both ends, because messages are masked (RFC 6455 section 5.3).

### A relay behind nginx

Agents and clients dial the relay's own host and port, so nginx has to listen there, and the relay somewhere else on that machine. They know the relay by its key:
give nginx and the relay the same certificate.

    rdv relay … --public-host relay.example.org --port 8788 --tls-cert cert.pem --tls-key key.pem

    map $http_upgrade $connection_upgrade { default ""; websocket upgrade; }
    server {
      listen 203.0.113.7:8788 ssl;
      ssl_certificate cert.pem; ssl_certificate_key key.pem; ssl_protocols TLSv1.3;
      location / {
        proxy_pass http://127.0.0.1:8788;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
      }
    }

The relay then sees every half come from nginx. It believes no header about another address; the addresses of plain clients, which come to the session's own port, are not touched by this.
A second address of a relay, for WebSockets alone and behind a network of caches, does not exist.
`;
}
