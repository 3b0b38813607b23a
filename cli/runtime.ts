import type { Stdio } from "../agent/connect/forward-stdio.ts";
import type { Proxies } from "../net/proxy/proxies.ts";

/** What a command gets from its process. */
export interface Runtime {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ways out of this network, as the environment names them. */
  readonly proxies: Proxies;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** Somebody looks at stdout. */
  readonly isTerminal: boolean;
  /** Asks whoever sits at the terminal; undefined when there is none, or nothing is answered before Ctrl-C. */
  readonly ask: (question: string) => Promise<string | undefined>;
  /** Reads a line without showing it: typed at the terminal, or the first one of what is piped in. */
  readonly readSecret: (question: string) => Promise<string | undefined>;
  /** Standard input and output, for a command whose bytes they carry; it then says nothing else there. */
  readonly takeStdio: () => Stdio;
  /** The exit code of a command that ends well, when that is another program's. */
  readonly exitWith: (code: number) => void;
}
