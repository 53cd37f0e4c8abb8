import { spawn, spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { nodeBinary, PROGRAMS, projectRoot, until } from '@syncline/test/support';
import { onTestFinished } from 'vitest';

/** Whether this machine has the program `script` of util-linux. */
export const hasTerminals =
  spawnSync('env', ['script', '--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') ??
  false;

export interface TerminalOptions {
  readonly columns: number;
  readonly rows: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** A terminal in which `syncline` runs. */
export interface Terminal {
  /** Returns everything that was written to the terminal. Control sequences begin with `␛`. */
  written(): string;
  /** Returns the last complete frame, without control sequences. */
  frame(): string;
  untilShown(pattern: RegExp): Promise<void>;
  /** Types keys. `\x03` is Ctrl-C. */
  type(keys: string): void;
  resize(size: { readonly columns: number; readonly rows: number }): void;
  /** The exit status of the command. */
  readonly exitStatus: Promise<number | null>;
}

export async function startInTerminal(
  args: readonly string[],
  { columns, rows, env = {} }: TerminalOptions,
): Promise<Terminal> {
  const variables = Object.entries({ HOME: tmpdir(), TERM: 'xterm', ...env });
  const settings = variables.map(([name, value]) => quoted(`${name}=${value}`)).join(' ');
  const words = [nodeBinary(), path.join(projectRoot, PROGRAMS.cli), ...args];
  const command = words.map(quoted).join(' ');
  const size = `stty rows ${rows} cols ${columns}`;
  // Starts with an empty environment, because the environment of the tests may set variables for
  // colors.
  const inside = `tty; ${size}; exec env -i PATH="$PATH" ${settings} ${command}`;
  const script = ['script', '-q', '-e', '-f', '-c', inside, '/dev/null'];
  const child = spawn('env', ['SHELL=/bin/sh', ...script], {
    cwd: projectRoot,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let written = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    written += text.replaceAll('\x1b', '␛');
  });
  const exitStatus = new Promise<number | null>((resolve) => child.once('close', resolve));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exitStatus;
  });
  const frame = () => {
    const frames = [...written.matchAll(/␛\[\?2026h(.*?)␛\[\?2026l/gs)];
    return (frames.at(-1)?.[1] ?? '').replaceAll(/␛\[[?\d;]*[A-Za-z]/g, '');
  };
  const find = (pattern: RegExp) => pattern.exec(frame()) ?? pattern.exec(written);
  const [, device = ''] = await until(() => /^(\/dev\/\S+)/m.exec(written), {
    what: 'a terminal',
  });
  return {
    written: () => written,
    frame,
    untilShown: async (pattern) => {
      await until(() => find(pattern) !== null, { what: String(pattern) });
    },
    type: (keys) => void child.stdin.write(keys),
    resize: (size) => {
      const sizes = ['rows', String(size.rows), 'cols', String(size.columns)];
      spawnSync('stty', ['-F', device, ...sizes]);
    },
    exitStatus,
  };
}

/** Quotes a word for a shell. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
