import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { startRedisServer } from '../../support/redis-server.ts';
import type { Benchmark } from '../benchmark.ts';
import { fileRegistries } from '../measure/file-registries.ts';
import { benchSyncline } from '../measure/syncline.ts';
import { attachTrace } from './devtools.ts';

const PROJECT = path.resolve(import.meta.dirname, '../../..');
const FILES_WANTED_BELOW = 36;
const REGISTRY = 'registry';
/** A file counts if every tick ran it: the passes of the worker's loops fall into some of them. */
const TICKS = 3;

/** How many files of the project you meet if you follow the tick of a changed file. */
export const files: Benchmark = {
  name: 'files',
  about:
    'the source files that a tick of a changed file passes through in a worker; the list is on standard error',
  run: async ({ lifetime, log }) => {
    const redis = await startRedisServer({ lifetime });
    const config = await fileRegistries({ names: [REGISTRY], interval: '1h', lifetime });
    const file = config.registries[0]?.file?.path ?? '';
    const syncline = await benchSyncline(redis, config, lifetime);
    // The bundle would be one file.
    const worker = await syncline.startWorker({
      entry: 'apps/worker/src/main.ts',
      env: { NODE_OPTIONS: '--inspect=127.0.0.1:0' },
    });
    await syncline.run(REGISTRY);
    const address = /Debugger listening on (ws:\S+)/.exec(worker.process.output.tail())?.[1];
    if (address === undefined) throw new Error('the worker has printed no address of its debugger');
    const trace = await attachTrace(address, lifetime);

    let ran: readonly string[] | undefined;
    for (let tick = 1; tick <= TICKS; tick += 1) {
      const before = await syncline.status(REGISTRY);
      const text = await readFile(file, 'utf8');
      await writeFile(file, text.replace(/"version":"[^"]*"/, `"version":"2.${tick}.0"`));
      await trace.reset();
      await syncline.run(REGISTRY);
      const files = await trace.files();
      if ((await syncline.status(REGISTRY)).snapshot === before.snapshot) {
        throw new Error('expected the change to be published');
      }
      ran = ran?.filter((name) => files.includes(name)) ?? files;
    }
    const own = (ran ?? [])
      .filter((name) => name.startsWith(PROJECT) && !name.includes('node_modules'))
      .map((name) => path.relative(PROJECT, name))
      .filter((name) => !name.startsWith('test/'));
    for (const name of own) log(name);
    return [
      { what: 'files', unit: 'files', syncline: own.length, wantedBelow: FILES_WANTED_BELOW },
    ];
  },
};
