/** The hostile servers of some scenarios, until they are killed: `upstreams.ts <id>…`. */
import { yieldToReaders } from '../hostile/priority.ts';
import { scenarioOf } from '../scenarios/index.ts';

yieldToReaders();
const urls: Record<string, Record<string, string>> = {};
for (const id of process.argv.slice(2)) {
  const { upstreams = {} } = scenarioOf(id);
  const ofScenario: Record<string, string> = {};
  for (const [name, start] of Object.entries(upstreams)) ofScenario[name] = await start();
  urls[id] = ofScenario;
}
console.log(JSON.stringify({ level: 'info', msg: 'listening', urls }));
