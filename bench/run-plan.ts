import { setTimeout as sleep } from "node:timers/promises";
import type { Context, Kind, Peer, Running, Sample, Scenario } from "./model.ts";
import type { Load } from "./load/load.ts";
import type { Results } from "./results.ts";

export interface Plan {
  readonly kinds: readonly Kind[];
  /** Installed ones. */
  readonly peers: readonly Peer[];
  readonly scenarios: readonly Scenario[];
  readonly rounds: number;
  readonly quick: boolean;
}

interface RunDeps {
  readonly load: Load;
  readonly results: Results;
  /** Takes one line about what is being done. */
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
}

interface Started {
  readonly peer: Peer;
  readonly running: Running;
}

/**
 * Measures everything of a plan. All peers of a kind run from its beginning to its end and sleep while they are not
 * measured; within a round each scenario takes them in turn, so that a slow minute of the machine hits them alike.
 */
export async function runPlan(plan: Plan, deps: RunDeps): Promise<void> {
  for (const kind of plan.kinds) {
    await using stack = new AsyncDisposableStack();
    const started = await startAll(kind, plan.peers, stack, deps);
    for (let round = 1; round <= plan.rounds; round++)
      for (const scenario of plan.scenarios.filter(({ kinds }) => kinds.includes(kind))) {
        deps.progress(`${kind}, round ${round} of ${plan.rounds}: ${scenario.name}`);
        for (const one of started) await runOne(kind, scenario, one, plan, deps);
      }
  }
}

async function startAll(
  kind: Kind,
  peers: readonly Peer[],
  stack: AsyncDisposableStack,
  deps: RunDeps,
): Promise<Started[]> {
  const started: Started[] = [];
  for (const peer of peers.filter(({ kinds }) => kinds.includes(kind))) {
    deps.signal.throwIfAborted();
    deps.progress(`${kind}: starting ${peer.name}`);
    await attempt(`${kind}: ${peer.name} did not start`, deps, async () => {
      started.push({ peer, running: stack.use(await peer.start(kind, deps.load.service)) });
    });
  }
  return started;
}

async function runOne(
  kind: Kind,
  scenario: Scenario,
  { peer, running }: Started,
  plan: Plan,
  deps: RunDeps,
): Promise<void> {
  deps.signal.throwIfAborted();
  const context: Context = {
    kind,
    running,
    startFresh: async () => await peer.start(kind, deps.load.service),
    load: deps.load,
    quick: plan.quick,
    sleep: async (ms) => await sleep(ms, undefined, { signal: deps.signal }),
  };
  await attempt(`${kind}: ${peer.name}: ${scenario.name}`, deps, async () => {
    const samples: readonly Sample[] = await scenario.run(context);
    for (const sample of samples) deps.results.add(kind, peer.name, sample);
  });
}

/** A peer that fails must not end the benchmark of the others; an interrupt must. */
async function attempt(
  what: string,
  { results, progress, signal }: RunDeps,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    signal.throwIfAborted();
    const problem = `${what}: ${error instanceof Error ? error.message : String(error)}`;
    progress(problem);
    results.addProblem(problem);
  }
}
