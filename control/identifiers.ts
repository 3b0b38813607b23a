const alphabet = "abcdefghijklmnopqrstuvwxyz234567";

/** A new session id: 130 random bits, so it can be neither guessed nor met twice. */
export function newSessionId(): string {
  return `s_${randomText(26)}`;
}

/** Random letters and digits, 5 bits each. */
export function randomText(length: number): string {
  let text = "";
  for (const byte of crypto.getRandomValues(new Uint8Array(length))) text += alphabet[byte % alphabet.length];
  return text;
}
