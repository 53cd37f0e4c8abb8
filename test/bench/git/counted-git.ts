import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { Lifetime } from '../../support/lifetime.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const run = promisify(execFile);

/** A git that records every git process that is started. */
export interface CountedGit {
  /** A `PATH` on which it comes first. */
  readonly searchPath: string;
  /** How many processes were started so far, including those that git starts itself. */
  startedProcesses(): Promise<number>;
  /** The arguments of those that were not started by git, oldest first. */
  calls(): Promise<string[][]>;
  run(args: readonly string[]): Promise<void>;
}

export async function countedGit(lifetime: Lifetime): Promise<CountedGit> {
  const directory = await temporaryDirectory(lifetime);
  const bin = path.join(directory, 'bin');
  const trace = path.join(directory, 'trace');
  const inherited = process.env['PATH'] ?? '';
  const { stdout } = await run('sh', ['-c', 'command -v git']);
  await mkdir(bin);
  await writeFile(trace, '');
  await writeFile(
    path.join(bin, 'git'),
    `#!/bin/sh\nGIT_TRACE2_EVENT='${trace}' exec '${stdout.trim()}' "$@"\n`,
    { mode: 0o755 },
  );
  return {
    searchPath: `${bin}:${inherited}`,
    startedProcesses: async () => (await readStarts(trace)).length,
    calls: async () =>
      (await readStarts(trace)).filter(({ sid }) => !sid.includes('/')).map(({ argv }) => argv),
    run: async (args) => {
      await run(path.join(bin, 'git'), args);
    },
  };
}

const startSchema = z.object({
  event: z.literal('start'),
  sid: z.string(),
  argv: z.array(z.string()),
});

async function readStarts(trace: string) {
  const lines = (await readFile(trace, 'utf8')).split('\n').filter((line) => line !== '');
  return lines.flatMap((line) => startSchema.safeParse(JSON.parse(line)).data ?? []);
}
