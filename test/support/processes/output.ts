import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { z } from 'zod';

const logLineSchema = z.looseObject({ level: z.string(), msg: z.string() });
/** A line of a process's JSON log. */
export type LogLine = z.infer<typeof logLineSchema>;

/** The output of a process, line by line. */
export interface Output {
  /** The lines of standard output and standard error, in the order of arrival. */
  readonly lines: readonly string[];
  /** The lines of standard output. */
  readonly stdout: readonly string[];
  /** The lines of standard error. */
  readonly stderr: readonly string[];
  /** The parsed log lines. */
  readonly logs: readonly LogLine[];
  /** Calls `listener` after each line. The returned function ends that. */
  onLine(listener: () => void): () => void;
  /** Returns the last lines, for error messages. */
  tail(count?: number): string;
}

/** If this variable is set, the output of test processes is also written to standard error. */
const ECHO_VARIABLE = 'SYNCLINE_TEST_LOGS';

export function collectOutput(
  name: string,
  streams: { readonly stdout: Readable; readonly stderr: Readable },
): Output {
  const lines: string[] = [];
  const stdout: string[] = [];
  const stderr: string[] = [];
  const logs: LogLine[] = [];
  const listeners = new Set<() => void>();
  for (const [input, own] of [
    [streams.stdout, stdout],
    [streams.stderr, stderr],
  ] as const) {
    createInterface({ input }).on('line', (line) => {
      if (process.env[ECHO_VARIABLE] !== undefined) process.stderr.write(`${name}: ${line}\n`);
      lines.push(line);
      own.push(line);
      const log = parseLogLine(line);
      if (log !== undefined) logs.push(log);
      for (const listener of listeners) listener();
    });
  }
  return {
    lines,
    stdout,
    stderr,
    logs,
    onLine: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    tail: (count = 15) => lines.slice(-count).join('\n') || '(nothing)',
  };
}

function parseLogLine(line: string): LogLine | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return logLineSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
