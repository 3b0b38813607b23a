import type { SigningKeySource, TimedKey } from "../control/signing-keys.ts";
import { keptKeys, overlapSeconds, signingKeysAt } from "../control/signing-keys.ts";
import type { RotatedSigningKey } from "../protocol/keys.ts";
import { limits } from "../protocol/limits.ts";
import { changeState } from "../state/lock.ts";
import { loadSecrets, newSigningKey, saveSecrets } from "./secrets.ts";

/** The signing keys of a state directory; a rotation is on disk before it counts. `now` is in milliseconds since 1970. */
export function createSigningKeyStore(
  stateDir: string,
  now: () => number = Date.now,
): Required<SigningKeySource> {
  const seconds = (): number => Math.floor(now() / 1_000);
  let keys = loadSecrets(stateDir).signingKeys;
  return {
    read: () => signingKeysAt(keys, seconds()),
    rotate: () =>
      changeState(stateDir, () => {
        const secrets = loadSecrets(stateDir);
        const newest = secrets.signingKeys.find(({ signsFrom }) => signsFrom > seconds());
        if (newest) return answer(newest);
        const next = { jwk: newSigningKey(), signsFrom: seconds() + limits.signingKeyDelaySeconds };
        const signingKeys = keptKeys([...secrets.signingKeys, next], seconds());
        saveSecrets(stateDir, { ...secrets, signingKeys });
        keys = signingKeys;
        return answer(next);
      }),
  };
}

function answer({ jwk, signsFrom }: TimedKey): RotatedSigningKey {
  return { kid: jwk.kid, signsFrom: isoTime(signsFrom), oldUntil: isoTime(signsFrom + overlapSeconds) };
}

function isoTime(seconds: number): string {
  return new Date(seconds * 1_000).toISOString();
}
