import type { CheckName, Finding } from "./finding.ts";

/** What every part of an examination works with. */
export interface Examiner {
  /** Takes each finding as soon as it is there. */
  readonly tell: (...findings: readonly Finding[]) => void;
  /** Does a part of the work, and says so when it takes long. */
  readonly during: <T>(name: CheckName, work: () => Promise<T>) => Promise<T>;
  readonly signal: AbortSignal;
}

/** A check that says nothing for so long makes people wonder. */
const slowMs = 1_000;

interface ExaminerDeps {
  readonly report: (finding: Finding) => void;
  /** Takes the name of a check that is still under way. */
  readonly onSlow: (name: CheckName) => void;
  readonly signal: AbortSignal;
}

export function createExaminer({ report, onSlow, signal }: ExaminerDeps): Examiner {
  return {
    signal,
    tell: (...findings) => findings.forEach(report),
    during: async (name, work) => {
      signal.throwIfAborted();
      const timer = setTimeout(onSlow, slowMs, name);
      try {
        return await work();
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
