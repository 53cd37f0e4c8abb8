import { z } from 'zod';
import type { Lifetime } from '../../support/lifetime.ts';
import { startProcess } from '../../support/processes.ts';

/** The latencies in milliseconds of the answers that arrived since the last sample. `null`: no good answer. */
export const readerSampleSchema = z.object({
  read: z.array(z.number().nullable()),
  health: z.array(z.number().nullable()),
});
export type ReaderSample = z.infer<typeof readerSampleSchema>;

export interface Readers {
  /** Returns the answers since the last call, and forgets them. */
  take(): Promise<ReaderSample>;
  stop(): Promise<void>;
}

const TAKE_SIGNAL = 'SIGUSR2';

/** Starts honest readers of the api in a process of their own, from addresses that no attacker uses. */
export async function startReaders(
  options: { readonly apiUrl: string; readonly paths: readonly string[] },
  lifetime: Lifetime,
): Promise<Readers> {
  const handle = await startProcess({
    name: 'readers',
    entry: 'test/attack/processes/readers.ts',
    args: [JSON.stringify(options)],
    lifetime,
  });
  await handle.waitForLog(({ msg }) => msg === 'begun');
  let taken = 0;
  return {
    take: async () => {
      taken += 1;
      const number = taken;
      handle.signal(TAKE_SIGNAL);
      const line = await handle.waitForLog(
        ({ msg, sample }) => msg === 'sample' && sample === number,
      );
      return readerSampleSchema.parse(line);
    },
    stop: async () => {
      if (handle.running) await handle.kill();
    },
  };
}
