/** A worker that writes down its history into the file that it is given as its argument. */
import { runProcess } from '@syncline/runtime';
import { startWorker } from '@syncline/worker';
import { recordWorker } from '../history/record-worker.ts';
import { openHistory } from '../history/recorder.ts';

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('expected the file of its history');
const decorate = recordWorker(openHistory(file));
await runProcess('worker', (context) => startWorker(context, { decorate }));
