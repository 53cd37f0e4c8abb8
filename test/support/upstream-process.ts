import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { type Lifetime, testLifetime } from './lifetime.ts';
import { nodeBinary } from './project.ts';
import type { UpstreamRow } from './upstream/corpus.ts';
import { type Command, type Report, reportSchema } from './upstream/messages.ts';

export interface UpstreamProcessOptions {
  /** The number of rows to generate. */
  readonly count: number;
  readonly seed?: number;
  readonly lifetime?: Lifetime;
}

/**
 * An upstream in a separate process, for benchmarks. So its own CPU time is measured separately.
 */
export interface UpstreamProcess {
  readonly url: string;
  readonly pid: number;
  readonly rows: number;
  /** Changes rows. Resolves when the upstream serves the new rows. */
  upsert(rows: readonly UpstreamRow[]): Promise<void>;
}

/** Starts an upstream with generated rows. It ends with its lifetime, or with this process. */
export async function startUpstreamProcess(
  options: UpstreamProcessOptions,
): Promise<UpstreamProcess> {
  const { count, seed = 1, lifetime = testLifetime } = options;
  const child = fork(
    path.join(import.meta.dirname, 'upstream/main.ts'),
    ['--generate', String(count), '--seed', String(seed)],
    { execPath: nodeBinary(), execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] },
  );
  const ended = once(child, 'exit');
  lifetime.defer(async () => {
    if (child.connected) child.disconnect();
    await ended;
  });
  const waiting = new Map<number, () => void>();
  const ready = Promise.withResolvers<Extract<Report, { url: string }>>();
  child.on('message', (message) => {
    const report = reportSchema.parse(message);
    if ('url' in report) ready.resolve(report);
    else waiting.get(report.done)?.();
  });
  child.once('error', ready.reject);
  ended.then(
    () => ready.reject(new Error('the upstream ended before it was ready')),
    () => {},
  );

  const { url, rows } = await ready.promise;
  let commands = 0;
  return {
    url,
    pid: child.pid ?? 0,
    rows,
    upsert: async (upsert) => {
      commands += 1;
      const command: Command = { id: commands, upsert: [...upsert] };
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.set(command.id, resolve);
      child.send(command);
      await promise;
    },
  };
}
