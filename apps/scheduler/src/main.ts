import { runProcess } from '@syncline/runtime';
import { startScheduler } from './start-scheduler.ts';

await runProcess('scheduler', (context) => startScheduler(context));
