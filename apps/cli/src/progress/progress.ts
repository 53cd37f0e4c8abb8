import { isScreen } from '@syncline/runtime';
import { formatTook } from '../format/age.ts';
import { cut } from '../format/width.ts';

/** How far something is that is waited for. */
export interface Step {
  /** Changes with what is news; `text` also with what only goes on. */
  readonly stage: string;
  /** One line. */
  readonly text: string;
  readonly elapsedMs: number;
}

/** Shows whoever waits that something goes on. */
export interface Progress {
  show(step: Step): void;
  /** Takes away what is in the way of the result. */
  end(): void;
}

/** A stream as far as a progress needs it. */
export type ProgressStream = Pick<NodeJS.WriteStream, 'write' | 'columns'>;

const DEFAULT_COLUMNS = 80;
/** What is done within this time needs no words. */
const FIRST_LINE_AFTER_MS = 2_000;
const LINE_EVERY_MS = 5_000;
const START_OF_LINE = '\r\x1b[K';

/** On standard error: one live line on a terminal, elsewhere a line when something changes. */
export function createProgress({ isQuiet }: { readonly isQuiet: boolean }): Progress {
  if (isQuiet) return { show: () => {}, end: () => {} };
  return isScreen(process.stderr)
    ? createLiveLine(process.stderr)
    : createProgressLines(process.stderr);
}

/** One line that is written again and again. */
export function createLiveLine(stream: ProgressStream): Progress {
  return {
    show: ({ text, elapsedMs }) => {
      const elapsed = ` ${formatTook(Math.floor(elapsedMs / 100) * 100)}`;
      // A character in the last column would make some terminals begin the next line.
      const width = (stream.columns || DEFAULT_COLUMNS) - 1 - elapsed.length;
      stream.write(`${START_OF_LINE}${cut(text, width)}${elapsed}`);
    },
    end: () => void stream.write(START_OF_LINE),
  };
}

/** A line for each news, and now and then one that it goes on. */
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
