/**
 * A worker that writes down its history: `worker.ts <file> [sabotage]`. The second is what it is to do
 * without.
 */
import { runProcess } from '@syncline/runtime';
import { z } from 'zod';
import { openHistory } from '../history/recorder.ts';
import { SABOTAGES } from '../plan.ts';
import { sabotageScripts } from './sabotage.ts';

const [file, sabotage] = z
  .tuple([z.string(), z.enum(SABOTAGES).optional()])
  .parse(process.argv.slice(2));
if (sabotage !== undefined) sabotageScripts(sabotage);
// Loaded only now, for their scripts are read then.
const { startWorker } = await import('@syncline/worker');
const { recordWorker } = await import('../history/record-worker.ts');
const decorate = recordWorker(openHistory(file));
await runProcess('worker', (context) => startWorker(context, { decorate }));
