import { isScreen } from '@syncline/runtime';
import { formatTook } from '../format/age.ts';
import { cut } from '../format/width.ts';

/** How far some work is. */
export interface Step {
  /** Changes with news only; `text` changes also while the same thing continues. */
  readonly stage: string;
  /** One line. */
  readonly text: string;
  readonly elapsedMs: number;
}

export interface Progress {
  show(step: Step): void;
  /** Removes what stands where the result will be printed. */
  end(): void;
}

/** The part of a stream that a progress needs. */
export type ProgressStream = Pick<NodeJS.WriteStream, 'write' | 'columns'>;

const DEFAULT_COLUMNS = 80;
/** Work that takes less shows no progress. */
const FIRST_LINE_AFTER_MS = 2_000;
const LINE_EVERY_MS = 5_000;
const START_OF_LINE = '\r\x1b[K';

/** Shows progress on standard error: one live line on a terminal, elsewhere a line for each news. */
export function createProgress(): Progress {
  const stream = process.stderr;
  return isScreen(stream) ? createLiveLine(stream) : createProgressLines(stream);
}

/** Creates a line that is overwritten by each step. */
export function createLiveLine(stream: ProgressStream): Progress {
  return {
    show: ({ text, elapsedMs }) => {
      const elapsed = ` ${formatTook(Math.floor(elapsedMs / 100) * 100)}`;
      // A character in the last column makes some terminals begin the next line.
      const width = (stream.columns || DEFAULT_COLUMNS) - 1 - elapsed.length;
      stream.write(`${START_OF_LINE}${cut(text, width)}${elapsed}`);
    },
    end: () => void stream.write(START_OF_LINE),
  };
}

/** Writes a line for each news, and one every few seconds while the same stage continues. */
export function createProgressLines(stream: ProgressStream): Progress {
  let told: Step | undefined;
  return {
    show: (step) => {
      if (step.elapsedMs < FIRST_LINE_AFTER_MS || step.text === told?.text) return;
      const isNews = step.stage !== told?.stage;
      if (!isNews && step.elapsedMs - (told?.elapsedMs ?? 0) < LINE_EVERY_MS) return;
      told = step;
      stream.write(`${step.text}\n`);
    },
    end: () => {},
  };
}
