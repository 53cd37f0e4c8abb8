/**
 * A client that uses the system during faults, until it is told to stop, and records the answers: `client.ts <file>
 * <options as JSON>`.
 */
import { startLoop } from '@syncline/runtime';
import { z } from 'zod';
import { Clients } from '../clients.ts';
import { openHistory } from '../history/recorder.ts';
import { randomFrom } from '../plan.ts';

const optionsSchema = z.object({
  /**
   * `request-any` requests syncs of any registries. `request-each` requests one sync of each registry. `look` reads
   * copies and statuses.
   */
  does: z.enum(['request-any', 'request-each', 'look']),
  apis: z.array(z.string()),
  token: z.string(),
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
const begin = (everyMs: number, pass: () => Promise<void>) =>
  startLoop({ everyMs, pass, onError: rethrow });
const BEGIN = {
  'request-any': () => [begin(REQUEST_EVERY_MS, () => clients.request())],
  'request-each': () => [begin(REQUEST_EVERY_MS, () => clients.requestNext())],
  look: () => [
    begin(POLL_EVERY_MS, () => clients.poll()),
    begin(READ_EVERY_MS, () => clients.read()),
  ],
};
const loops = BEGIN[does]();
console.log(JSON.stringify({ level: 'info', msg: 'begun' }));
process.once('SIGTERM', () => Promise.all(loops.map((loop) => loop.stop())));

/**
 * Throws the error again, which ends the process. The client handles failed answers, so any other error is a bug.
 */
function rethrow(error: unknown): never {
  throw error;
}
