import { runProcess } from '@syncline/runtime';
import { startApi } from './start-api.ts';

await runProcess('api', startApi);
