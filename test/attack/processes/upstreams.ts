/** The hostile servers of one scenario, until they are killed: `upstreams.ts <id>`. */
import { setPriority } from 'node:os';
import { LESS_THAN_READERS } from '../hostile/priority.ts';
import { scenarioOf } from '../scenarios/index.ts';

setPriority(LESS_THAN_READERS);
const { upstreams = {} } = scenarioOf(process.argv[2] ?? '');
const urls: Record<string, string> = {};
for (const [name, start] of Object.entries(upstreams)) urls[name] = await start();
console.log(JSON.stringify({ level: 'info', msg: 'listening', urls }));
