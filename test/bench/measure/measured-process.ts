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
  /** The peak of resident memory in the process's life. */
  peakRssBytes: z.number(),
});
/** The usage of a process since its start, or since the last {@link MeasuredProcess.resetUsage}. */
export type Usage = z.infer<typeof usageSchema>;

export interface MeasuredProcess {
  readonly process: ProcessHandle;
  /** Forgets the usage until now, except the peak memory. */
  resetUsage(): void;
  /** Stops the process if it still runs, waits for its end, and returns its usage. */
  finish(): Promise<Usage>;
}

/** Starts a program of the project and measures its main thread and memory. */
export async function startMeasured(
  options: StartProcessOptions & { readonly lifetime: Lifetime },
): Promise<MeasuredProcess> {
  const file = path.join(await temporaryDirectory(options.lifetime), 'usage.json');
  const probe = path.join(import.meta.dirname, 'probe.ts');
  const measured = await startProcess({
    ...options,
    nodeArgs: [...(options.nodeArgs ?? []), '--import', probe],
    env: { ...options.env, BENCH_PROBE_OF_SYNCLINE: file },
  });
  return {
    process: measured,
    resetUsage: () => void process.kill(measured.pid, 'SIGUSR2'),
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
