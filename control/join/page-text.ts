import { english } from "./page-text-en.ts";
import { french } from "./page-text-fr.ts";
import type { Language } from "./page-language.ts";

/** Services whose reach is explained in words of their own. */
export const explainedServices = ["ssh", "vnc", "rdp", "http", "postgres"] as const;
export type ExplainedService = (typeof explainedServices)[number];

/** What a service is called, and what somebody who reaches it can do. Plain text. */
export interface ServiceText {
  readonly name: string;
  readonly power: string;
}

/** A message with nothing to do on the page: a title, then paragraphs. */
export interface NoticeText {
  readonly title: string;
  readonly paragraphs: readonly string[];
}

/**
 * Every word of the page. Functions take HTML that is already escaped and return HTML; constants are plain text
 * without characters that HTML gives a meaning.
 */
export interface PageText {
  readonly locale: string;
  readonly languageLabel: string;
  readonly title: (inviter: string) => string;
  readonly heading: (inviter: string) => string;
  readonly lead: string;
  readonly privateLead: string;
  readonly factsHeading: string;
  readonly who: string;
  readonly whoNote: string;
  readonly what: string;
  readonly whatNote: string;
  readonly until: string;
  readonly localTime: string;
  readonly untilNote: string;
  readonly from: string;
  readonly fromAllowed: (addresses: string) => string;
  readonly fromNote: string;
  readonly code: string;
  readonly codeNote: string;
  readonly unexpectedHeading: string;
  readonly unexpected: string;
  readonly agreeHeading: string;
  readonly agree: string;
  readonly privateAgree: string;
  readonly privateHeading: string;
  readonly privateStep: string;
  readonly shellHeading: string;
  readonly shellStep: string;
  readonly powershellHeading: string;
  readonly powershellStep: string;
  readonly lineLabel: (system: string) => string;
  readonly copy: string;
  readonly copyLabel: (system: string) => string;
  readonly copied: string;
  readonly notCopied: string;
  readonly afterwards: string;
  readonly elsewhere: (url: string) => string;
  readonly stopHeading: string;
  readonly stop: readonly string[];
  readonly cannotHeading: string;
  readonly cannot: (target: string) => readonly string[];
  readonly about: string;
  readonly services: Readonly<Record<ExplainedService, ServiceText>>;
  readonly otherService: ServiceText;
  readonly used: NoticeText;
  readonly unknown: NoticeText;
}

export const pageTexts: Readonly<Record<Language, PageText>> = { en: english, fr: french };
