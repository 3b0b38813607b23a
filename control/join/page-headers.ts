import { pageScriptHash } from "./page-script.ts";
import { pageStyleHash } from "./page-style.ts";
import type { Language } from "./page-language.ts";

/** Nothing but the page's own style and script may be used, nothing may frame it, nothing may be sent from it. */
const contentSecurityPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${pageStyleHash}'`,
  `script-src 'sha256-${pageScriptHash}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

/**
 * Headers of every invitation page. The URL holds a secret code: it is not cached, not indexed, and not told to others.
 * The same URL answers curl with a script, so caches must look at `Accept` too.
 */
export function pageHeaders(language: Language): Record<string, string> {
  return {
    "content-type": "text/html; charset=utf-8",
    "content-language": language,
    "content-security-policy": contentSecurityPolicy,
    "cache-control": "no-store",
    vary: "Accept, Accept-Language",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
  };
}
