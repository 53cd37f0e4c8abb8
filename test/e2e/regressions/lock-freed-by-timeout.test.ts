/**
 * Seen in: Vendure, issue 5165.
 * Failure: a task's lock was freed at its timeout while the task itself continued, so the next task ran beside it.
 * Syncline: a run that is out of time ends before its lease is released. `left-in-progress.test.ts` has the runs that
 * cannot be ended.
 */
import { expect, test } from 'vitest';
import { testLifetime } from '../../support/lifetime.ts';
import { generateRows } from '../../support/rows/generate.ts';
import { startSystem } from '../../support/system.ts';
import { until } from '../../support/until.ts';
import { untilComplete } from '../../support/until-registry.ts';
import { startUpstream } from '../../support/upstream.ts';

const ROWS = generateRows({ count: 150, seed: 5_165 });
const ALWAYS = { times: Number.POSITIVE_INFINITY };

test('a run that times out closes its upstream requests before the next run sends one', async () => {
  const upstream = await startUpstream({ rows: ROWS });
  const system = await startSystem({
    config: {
      registries: [
        {
          name: 'hanging',
          api: { endpoint: upstream.url },
          syncPolicy: { interval: '12h', timeout: '1s' },
        },
      ],
    },
  });
  const { client } = system;
  await untilComplete(client, 'hanging');
  upstream.forgetRequests();
  const gate = upstream.hold(ALWAYS);
  testLifetime.defer(() => gate.release());
  const ended: number[] = [];
  const RUNS = 3;
  for (let number = 1; number <= RUNS; number += 1) {
    const run = client.sync('hanging');
    const request = await upstream.arrival(number);
    // In the order in which the upstream itself sees it.
    expect(ended, 'walks that have ended').toHaveLength(number - 1);
    expect(gate.waiting).toBe(1);
    request.ended.then(
      () => ended.push(number),
      () => {},
    );
    expect(await run).toMatchObject({ outcome: 'failed', error: { code: 'run-timeout' } });
  }
  await until(() => ended.length === RUNS, { what: 'the last walk to end' });
  expect(upstream.requests).toHaveLength(RUNS);
  expect(await client.allServers('hanging')).toHaveLength(ROWS.length);
});
