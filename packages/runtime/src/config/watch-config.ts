import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type SynclineError, toSynclineError } from '@syncline/contract';
import { type LoadConfigOptions, type LoadedConfig, parseConfig } from './load-config.ts';
import { readConfigText } from './read-document.ts';

export interface WatchConfigOptions extends LoadConfigOptions {
  readonly path: string;
  /**
   * Told a config that differs from the last one told, and any good one after an error. The next look
   * waits for it; where it fails, {@link onError} is told and it is called again at the next look.
   */
  readonly onChange: (loaded: LoadedConfig) => void | Promise<void>;
  /** Told once for each change of the file that does not give a config. What was told before stays in force. */
  readonly onError: (error: SynclineError) => void;
  /** Ends the watching. */
  readonly signal: AbortSignal;
  /**
   * How often the file is looked at. A change counts once two looks in a row agree, or six where it looks
   * like the beginning of a file. Default 1,000.
   */
  readonly pollIntervalMs?: number;
  /** Digest of the config that the caller has already; without it the first one is told as well. */
  readonly knownDigest?: string;
}

const LOOKS_TO_BELIEVE = 2;
/** A writer may pause, and the beginning of a file may be a config with fewer registries. */
const LOOKS_TO_BELIEVE_A_BEGINNING = 6;

/** What one look at the file has found. `mark` differs whenever the contents, or the trouble, differ. */
type Look =
  | { readonly mark: string; readonly text: string }
  | { readonly mark: string; readonly error: SynclineError };

/**
 * Watches a config file by looking at it again and again: this sees what file notifications miss, such
 * as swapped symlinks and network file systems. Resolves once the signal is aborted.
 */
export async function watchConfig(options: WatchConfigOptions): Promise<void> {
  const { path, signal, pollIntervalMs = 1_000 } = options;
  /** What was dealt with last. */
  let settled: Look | undefined;
  let seen: { readonly mark: string; readonly times: number } | undefined;
  const tell = createTeller(options);
  while (!signal.aborted) {
    const look = await lookAt(path);
    const { mark } = look;
    seen = { mark, times: seen?.mark === mark ? seen.times + 1 : 1 };
    const isBelieved = seen.times >= looksToBelieve(look, settled);
    if (isBelieved && mark !== settled?.mark && (await tell(look))) settled = look;
    await delay(pollIntervalMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Half-written files can be valid: only what has stayed the same for a while is believed. */
function looksToBelieve(look: Look, settled: Look | undefined): number {
  if (!('text' in look) || settled === undefined || !('text' in settled)) return LOOKS_TO_BELIEVE;
  const isUnended = settled.text.endsWith('\n') && !look.text.endsWith('\n');
  const isBeginning = settled.text.startsWith(look.text) || isUnended;
  return isBeginning ? LOOKS_TO_BELIEVE_A_BEGINNING : LOOKS_TO_BELIEVE;
}

/** Returns a function that says whether the look is dealt with, so that it need not be told again. */
function createTeller(options: WatchConfigOptions) {
  const { onChange, onError, knownDigest, signal } = options;
  let toldDigest = knownDigest;
  let toldErrorMark: string | undefined;
  const tellError = (mark: string, error: unknown) => {
    if (toldErrorMark !== mark) onError(toSynclineError(error));
    toldErrorMark = mark;
  };
  return async (look: Look): Promise<boolean> => {
    if (signal.aborted) return false;
    const loaded = load(options, look);
    if ('error' in loaded) {
      tellError(look.mark, loaded.error);
      return true;
    }
    try {
      if (loaded.digest !== toldDigest || toldErrorMark !== undefined) await onChange(loaded);
    } catch (error) {
      tellError(look.mark, error);
      return false;
    }
    toldDigest = loaded.digest;
    toldErrorMark = undefined;
    return true;
  };
}

function load(
  { path, checks = [] }: WatchConfigOptions,
  look: Look,
): LoadedConfig | { readonly error: unknown } {
  if ('error' in look) return { error: look.error };
  try {
    return parseConfig(path, look.text, { checks });
  } catch (error) {
    return { error };
  }
}

async function lookAt(path: string): Promise<Look> {
  try {
    const text = await readConfigText(path);
    return { mark: createHash('sha256').update(text).digest('hex'), text };
  } catch (error) {
    const known = toSynclineError(error);
    return { mark: `${known.code}: ${known.message}`, error: known };
  }
}
