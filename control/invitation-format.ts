/** Who asks for an invitation: a browser, `rdv join`, or a shell. */
export type Format = "html" | "json" | "text";

/** What a request to `/j/CODE` wants (RFC 9110 section 12.5.1); curl and wget accept anything and get the script. */
export function wantedFormat(request: Request): Format {
  const accept = request.headers.get("accept") ?? "";
  if (accept.includes("text/html")) return "html";
  return accept.includes("application/json") ? "json" : "text";
}
