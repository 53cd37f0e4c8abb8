import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { JOB_NAME, QUEUE_NAME } from '@syncline/contract';
import { Queue } from 'bullmq';
import { allowingLocalTargets } from '../../../support/config.ts';
import { connect } from '../../../support/redis.ts';
import { VARIABLES } from '../../contract.ts';
import { serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

const SECRET = 'secret-of-another-service-5c1b';
/** Until a worker would have read the forged config and run its registry. */
const FORGED_FOR_MS = 15_000;

/**
 * A service that may enqueue changes the config in Redis, so that a worker sends any file as a token to any host. The
 * document must match its digest, credential files must be in the permitted directories, and a Redis that `up`
 * starts must ask for a password.
 */
export const forgedConfig: Scenario = {
  id: 'X6',
  title: 'a config that another service writes into Redis',
  fleet: { env: ({ directory }) => ({ [VARIABLES.credentialDirs]: path.join(directory, 'none') }) },
  upstreams: {
    thief: () =>
      serveHttp((response, { headers }) => {
        console.log(JSON.stringify({ level: 'info', msg: 'asked', headers }));
        response.writeHead(404).end();
      }),
  },
  registries: () => [],
  cause: {},
  inspect: async ({ fleet, urls: { thief = '' }, directory, reports }) => {
    const gained: string[] = [];
    const tokenFile = path.join(directory, 'secret');
    writeFileSync(tokenFile, SECRET);
    const url = new URL(fleet.redisUrl);
    if (fleet.processes[0]?.role === 'up' && url.password === '') {
      gained.push('the embedded Redis has no password');
    }
    await using lifetime = new AsyncDisposableStack();
    const redis = connect(fleet.redisUrl, lifetime);
    const digest = (await redis.get(fleet.keys.config)) ?? '';
    const forged = allowingLocalTargets({
      registries: [
        {
          name: 'forged',
          file: { url: thief, auth: { tokenFile } },
          syncPolicy: { interval: '1s' },
        },
      ],
    });
    await redis.set(fleet.keys.configDocument(digest), JSON.stringify(forged));
    await redis.set(fleet.keys.configDocument('forged'), JSON.stringify(forged));
    await redis.set(fleet.keys.config, 'forged');
    const queue = new Queue(QUEUE_NAME, {
      connection: redis,
      prefix: fleet.keys.queuePrefix,
      skipVersionCheck: true,
    });
    await queue.add(JOB_NAME, { v: 1, registry: 'forged' });
    await queue.close();
    await sleep(FORGED_FOR_MS);
    if (reports().some((line) => line.includes('"asked"'))) {
      gained.push('a worker ran a registry of the forged config');
    }
    if (reports().some((line) => line.includes(SECRET))) {
      gained.push('a worker sent a file outside the credential directories');
    }
    return gained;
  },
};
