/**
 * Runs a worker that obeys orders and records its history: `worker.ts <file> [sabotage]`. The second argument
 * names the mechanism to remove.
 */
import { z } from 'zod';
import { SABOTAGES } from '../plan.ts';
import { obeyOrders } from './orders.ts';
import { sabotageScripts } from './sabotage.ts';

obeyOrders();
const [file, sabotage] = z
  .tuple([z.string(), z.enum(SABOTAGES).optional()])
  .parse(process.argv.slice(2));
if (sabotage !== undefined) sabotageScripts(sabotage);
// Imported only now, because this import reads the scripts.
const { runProcess } = await import('@syncline/runtime');
const { startWorker } = await import('@syncline/worker');
const { openHistory } = await import('../history/recorder.ts');
const { recordWorker } = await import('../history/record-worker.ts');
const decorate = recordWorker(openHistory(file));
await runProcess('worker', (context) => startWorker(context, { decorate }));
