/**
 * Honest readers of the api, until they are killed: `readers.ts <options as JSON>`. They send requests at a fixed
 * rate, whether or not earlier ones have been answered, so that a stalled api cannot hide behind its own silence. On
 * SIGUSR2, they print the latencies since the last signal.
 */
import { Agent, get } from 'node:http';
import { z } from 'zod';
import type { ReaderSample } from '../watch/readers.ts';

const READ_EVERY_MS = 40;
const HEALTH_EVERY_MS = 100;
const TIMEOUT_MS = 10_000;
/** Attackers connect from 127.0.0.1 and from 127.1.0.0/16. */
const ADDRESSES = ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'];

const { apiUrl, paths } = z
  .object({ apiUrl: z.string(), paths: z.array(z.string()) })
  .parse(JSON.parse(process.argv[2] ?? ''));
const agents = ADDRESSES.map((localAddress) => new Agent({ keepAlive: true, localAddress }));
let sample: ReaderSample = { read: [], health: [] };
let taken = 0;
let asked = 0;

setInterval(() => {
  asked += 1;
  ask(paths[asked % paths.length] ?? '/', 'read', agents[asked % agents.length]);
}, READ_EVERY_MS);
// Probes open a new connection each time.
setInterval(() => ask('/health', 'health', undefined), HEALTH_EVERY_MS);
process.on('SIGUSR2', () => {
  taken += 1;
  console.log(JSON.stringify({ level: 'info', msg: 'sample', sample: taken, ...sample }));
  sample = { read: [], health: [] };
});
console.log(JSON.stringify({ level: 'info', msg: 'begun' }));

function ask(path: string, kind: keyof ReaderSample, agent: Agent | undefined): void {
  const begunAt = performance.now();
  const take = (isGood: boolean) =>
    void sample[kind].push(isGood ? performance.now() - begunAt : null);
  const request = get(apiUrl + path, {
    timeout: TIMEOUT_MS,
    localAddress: ADDRESSES[0],
    agent: agent ?? false,
  });
  request.on('response', (response) => {
    response.resume();
    response.once('end', () => take(response.statusCode === 200));
    response.once('error', () => take(false));
  });
  request.once('timeout', () => request.destroy(new Error('timed out')));
  request.once('error', () => take(false));
}
