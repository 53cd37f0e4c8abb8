import { createHash } from 'node:crypto';
import { type SynclineError, toSynclineError } from '@syncline/contract';
import { type Loop, startLoop } from '../lifecycle/loop.ts';
import { type LoadConfigOptions, type LoadedConfig, parseConfig } from './load-config.ts';
import { readConfigText } from './read-document.ts';

export interface WatchConfigOptions extends LoadConfigOptions {
  readonly path: string;
  /**
   * Called with a config that differs from the last one, and with any valid config after an error. The watcher waits for
   * this call before it reads the file again. If the call fails, {@link onError} is called, and the next read repeats the
   * call.
   */
  readonly onChange: (loaded: LoadedConfig) => void | Promise<void>;
  /** Called once for each change that makes the config invalid. The previous config stays in force. */
  readonly onError: (error: SynclineError) => void;
  /**
   * The interval between two reads of the file, in milliseconds. A change takes effect after two equal reads in a row.
   * If the new text looks like the beginning of a file, it takes effect after six equal reads. Default: 1,000.
   */
  readonly pollIntervalMs?: number;
  /** The digest of the config that the caller has. Without it, the first config is reported too. */
  readonly knownDigest?: string;
}

const LOOKS_TO_BELIEVE = 2;
/**
 * A program may pause while it writes the file, and the beginning of the file may be a valid config with fewer
 * registries.
 */
const LOOKS_TO_BELIEVE_A_BEGINNING = 6;

/** The result of one read. `mark` differs if the content or the error differs. */
type Look =
  | { readonly mark: string; readonly text: string }
  | { readonly mark: string; readonly error: SynclineError };

/**
 * Watches a config file by reading it repeatedly. Unlike file notifications, this works with replaced symbolic links and
 * network file systems.
 */
export function watchConfig(options: WatchConfigOptions): Loop {
  const { path, onError, pollIntervalMs = 1_000 } = options;
  /** The last result that was reported. */
  let settled: Look | undefined;
  let seen: { readonly mark: string; readonly times: number } | undefined;
  const tell = createTeller(options);
  const pass = async (signal: AbortSignal) => {
    const look = await lookAt(path);
    const { mark } = look;
    seen = { mark, times: seen?.mark === mark ? seen.times + 1 : 1 };
    const isBelieved = seen.times >= looksToBelieve(look, settled);
    if (!isBelieved || mark === settled?.mark || signal.aborted) return;
    if (await tell(look)) settled = look;
  };
  const onLoopError = (error: unknown) => onError(toSynclineError(error));
  return startLoop({ everyMs: pollIntervalMs, pass, onError: onLoopError });
}

/**
 * Returns how many equal reads in a row are needed. A partly written file can be a valid config, so new content must stay
 * the same for a while.
 */
function looksToBelieve(look: Look, settled: Look | undefined): number {
  if (!('text' in look) || settled === undefined || !('text' in settled)) return LOOKS_TO_BELIEVE;
  const isUnended = settled.text.endsWith('\n') && !look.text.endsWith('\n');
  const isBeginning = settled.text.startsWith(look.text) || isUnended;
  return isBeginning ? LOOKS_TO_BELIEVE_A_BEGINNING : LOOKS_TO_BELIEVE;
}

/** Returns a function that reports a result. The function returns whether the result needs no further report. */
function createTeller(options: WatchConfigOptions) {
  const { onChange, onError, knownDigest } = options;
  let toldDigest = knownDigest;
  let toldErrorMark: string | undefined;
  const tellError = (mark: string, error: unknown) => {
    if (toldErrorMark !== mark) onError(toSynclineError(error));
    toldErrorMark = mark;
  };
  return async (look: Look): Promise<boolean> => {
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
