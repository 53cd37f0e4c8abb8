import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Lifetime } from '../../support/lifetime.ts';
import {
  type ProcessHandle,
  type StartProcessOptions,
  startProcess,
} from '../../support/processes.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const usageSchema = z.object({
  elapsedMs: z.number(),
  cpuMs: z.number(),
  /** The longest time for which the event loop did not turn. */
  longestBlockMs: z.number(),
  /** The most memory that was resident at any moment of the process's life. */
  peakRssBytes: z.number(),
});
/** What a process has used, from its start or from the last {@link MeasuredProcess.beginAnew} on. */
export type Usage = z.infer<typeof usageSchema>;

export interface MeasuredProcess {
  readonly process: ProcessHandle;
  /** Forgets what it used until now, but for its peak memory. */
  beginAnew(): void;
  /** Stops it where it still runs, waits for its end, and says what it has used. */
  finish(): Promise<Usage>;
}

/** Starts a program of the project and measures what its main thread and memory do. */
export async function startMeasured(
  options: StartProcessOptions & { readonly lifetime: Lifetime },
): Promise<MeasuredProcess> {
  const file = path.join(await temporaryDirectory(options.lifetime), 'usage.json');
  const probe = path.join(import.meta.dirname, 'probe.ts');
  const measured = await startProcess({
    ...options,
    nodeArgs: [...(options.nodeArgs ?? []), '--import', probe],
    env: { ...options.env, SYNCLINE_BENCH_PROBE: file },
  });
  return {
    process: measured,
    beginAnew: () => void process.kill(measured.pid, 'SIGUSR2'),
    finish: async () => {
      const { code, signal } = measured.running ? await measured.stop() : await measured.exited;
      if (code !== 0) {
        throw new Error(
          `${measured.name} ended with ${signal ?? code}:\n${measured.output.tail()}`,
        );
      }
      return usageSchema.parse(JSON.parse(await readFile(file, 'utf8')));
    },
  };
}
