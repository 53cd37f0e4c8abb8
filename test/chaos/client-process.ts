import path from 'node:path';
import { type Lifetime, startProcess } from '@syncline/test/support';
import type { HistoryRecorder } from './history/recorder.ts';
import type { ClientProcessOptions } from './processes/client.ts';

export interface StartClientOptions {
  readonly options: ClientProcessOptions;
  /** The folder for the history file of the client. */
  readonly directory: string;
  readonly recorder: HistoryRecorder;
  readonly lifetime: Lifetime;
}

/**
 * Starts a client process, which uses the system and is not part of it. Resolves when the process has
 * started.
 */
export async function startClientProcess({
  options,
  directory,
  recorder,
  lifetime,
}: StartClientOptions): Promise<{ stop(): Promise<void> }> {
  const name = `client-${options.does}`;
  const file = path.join(directory, `${name}.ndjson`);
  const process = await startProcess({
    name,
    entry: 'test/chaos/processes/client.ts',
    args: [file, JSON.stringify(options)],
    lifetime,
  });
  recorder.record({ kind: 'process-started', name, pid: process.pid });
  await process.waitForLog(({ msg }) => msg === 'begun', { what: `${name} to begin` });
  return {
    stop: async () => {
      const { code } = await process.stop();
      if (code !== 0) throw new Error(`${name} ended with ${code}:\n${process.output.tail()}`);
      recorder.record({ kind: 'process-ended', name, how: 'stopped' });
    },
  };
}
