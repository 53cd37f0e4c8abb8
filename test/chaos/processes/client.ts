/**
 * A program that uses the system while it is being hurt, until it is told to stop, and writes down what it was
 * told: `client.ts <file> <options as JSON>`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { Clients } from '../clients.ts';
import { openHistory } from '../history/recorder.ts';
import { randomFrom } from '../plan.ts';

const optionsSchema = z.object({
  /** `request`: asks for syncs. `look`: reads copies, and states. */
  does: z.enum(['request', 'look']),
  apis: z.array(z.string()),
  registries: z.array(z.string()),
  rowCount: z.int(),
  seed: z.int(),
});
export type ClientProcessOptions = z.infer<typeof optionsSchema>;

const REQUEST_EVERY_MS = 400;
const POLL_EVERY_MS = 50;
const READ_EVERY_MS = 150;

const [file, options] = z
  .tuple([z.string(), z.string().transform((text) => optionsSchema.parse(JSON.parse(text)))])
  .parse(process.argv.slice(2));
const { does, seed, ...rest } = options;
const clients = new Clients({ ...rest, recorder: openHistory(file), random: randomFrom(seed) });
const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());

/** Does something again and again, with pauses between. */
async function again(everyMs: number, act: () => Promise<void>): Promise<void> {
  while (!stopping.signal.aborted) {
    await act();
    await sleep(everyMs, undefined, { signal: stopping.signal }).catch(() => {});
  }
}

await Promise.all(
  does === 'request'
    ? [again(REQUEST_EVERY_MS, () => clients.request())]
    : [again(POLL_EVERY_MS, () => clients.poll()), again(READ_EVERY_MS, () => clients.read())],
);
