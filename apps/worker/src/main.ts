import { runProcess } from '@syncline/runtime';
import { startWorker } from './start-worker.ts';

await runProcess('worker', startWorker);
