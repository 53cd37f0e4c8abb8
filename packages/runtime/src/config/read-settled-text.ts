import { stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { readConfigText } from './read-document.ts';

/** A file that was written more recently than this may still be being written. */
const SETTLE_MS = 250;
/** A file that never comes to rest is read all the same. */
const MOST_LOOKS = 40;

/**
 * The text of the config file, once nobody has written it for a moment: half a file may be a config too,
 * one with fewer registries.
 *
 * @throws ConfigError as {@link readConfigText}
 */
export async function readSettledText(file: string): Promise<string> {
  for (let look = 0; look < MOST_LOOKS; look += 1) {
    const writtenAtMs = await lastWrittenMs(file);
    const ageMs = Date.now() - writtenAtMs;
    // A clock of another machine may be ahead of ours.
    if (ageMs >= 0 && ageMs < SETTLE_MS) {
      await delay(SETTLE_MS - ageMs);
      continue;
    }
    const text = await readConfigText(file);
    if ((await lastWrittenMs(file)) === writtenAtMs) return text;
  }
  return readConfigText(file);
}

/** Epoch milliseconds; 0 where there is nothing. */
async function lastWrittenMs(file: string): Promise<number> {
  return stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}
