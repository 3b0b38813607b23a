import * as z from "zod";

/**
 * The schema of an answer or signal that is about what was asked for and nothing else: a control plane that answers with
 * another name or id is not believed. `asked` says what that was, for people.
 */
export function about<T>(schema: z.ZodType<T>, asked: string, isIt: (answer: T) => boolean): z.ZodType<T> {
  return schema.refine(isIt, { error: `an answer about something else than ${asked}`, params: { asked } });
}

/** What was asked for when a value was refused by `about`, and by nothing else. */
export function askedFor(error: unknown): string | undefined {
  if (!(error instanceof z.ZodError)) return undefined;
  for (const issue of error.issues) {
    const asked: unknown = issue.code === "custom" ? issue.params?.["asked"] : undefined;
    if (typeof asked === "string") return asked;
  }
  return undefined;
}
