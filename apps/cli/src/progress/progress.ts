import { isScreen } from '@syncline/runtime';
import { formatTook } from '../format/age.ts';
import { cut } from '../format/width.ts';

/** The progress of some work. */
export interface Step {
  /** Changes only when something new happens. `text` also changes within the same stage. */
  readonly stage: string;
  /** The progress as one line of text. */
  readonly text: string;
  readonly elapsedMs: number;
}

export interface Progress {
  show(step: Step): void;
  /** Clears the live line, so that the result can be printed there. */
  end(): void;
}

/** The part of a stream that progress output needs. */
export type ProgressStream = Pick<NodeJS.WriteStream, 'write' | 'columns'>;

const DEFAULT_COLUMNS = 80;
/** Work that takes less time than this shows no progress. */
const FIRST_LINE_AFTER_MS = 2_000;
const LINE_EVERY_MS = 5_000;
const START_OF_LINE = '\r\x1b[K';

/**
 * Shows progress on standard error. On a terminal, one line shows the current step; otherwise each
 * new stage gets a line.
 */
export function createProgress(): Progress {
  const stream = process.stderr;
  return isScreen(stream) ? createLiveLine(stream) : createProgressLines(stream);
}

/** Shows each step on the same line. */
export function createLiveLine(stream: ProgressStream): Progress {
  return {
    show: ({ text, elapsedMs }) => {
      const elapsed = ` ${formatTook(Math.floor(elapsedMs / 100) * 100)}`;
      // After a character in the last column, some terminals begin a new line.
      const width = (stream.columns || DEFAULT_COLUMNS) - 1 - elapsed.length;
      stream.write(`${START_OF_LINE}${cut(text, width)}${elapsed}`);
    },
    end: () => void stream.write(START_OF_LINE),
  };
}

/** Writes a line for each new stage, and every few seconds while the same stage continues. */
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
