import { redisKeys } from '@syncline/contract';
import { publishConfig } from '@syncline/redis';
import { parseConfig } from '@syncline/runtime/config';
import { connect, startRedisServer } from '@syncline/test/support';
import { expect, test } from 'vitest';
import { hasTerminals, startInTerminal } from '../testing/terminal.ts';

/** Starts a Redis with a config of the given number of registries, and no worker. */
async function prepare(count: number) {
  const server = await startRedisServer();
  const redis = connect(server.url);
  const keys = redisKeys('syncline');
  const registries = Array.from({ length: count }, (_, index) => ({
    name: `registry-${index}`,
    file: { path: '/none.json' },
  }));
  await publishConfig(
    { redis, keys },
    parseConfig('syncline.yaml', JSON.stringify({ registries })),
  );
  const fail = (name: string) =>
    redis.hset(keys.status(name), {
      phase: 'Failed',
      consecutiveFailures: '1',
      errorCode: 'internal',
      message: 'failed on purpose',
    });
  return { server, redis, keys, fail, env: { REDIS_URL: server.url } };
}

test.skipIf(!hasTerminals)(
  'a live table follows changes, the size of the terminal, and Redis',
  async () => {
    const { server, fail, env } = await prepare(10);
    const terminal = await startInTerminal(['status', '--watch'], { columns: 90, rows: 20, env });
    await terminal.untilShown(/10 registries: 10 Pending/);
    expect(terminal.frame()).toContain('registry-9');

    terminal.resize({ columns: 60, rows: 7 });
    await terminal.untilShown(/and 7 more registries/);
    await fail('registry-8');
    await terminal.untilShown(/\*registry-8 +Failed/);

    await server.stop();
    await terminal.untilShown(/as of \d\d:\d\d:\d\d: /);
    expect(terminal.frame()).toContain('registry-8');
    await server.start();
    await terminal.untilShown(/1 Failed, 9 Pending; Ctrl-C ends\s+REGISTRY/);

    terminal.type('\x03');
    expect(await terminal.exitStatus).toBe(0);
    expect(terminal.written()).toMatch(/␛\[\?7h␛\[\?25h␛\[\?1049l\s*$/);
  },
);

test.skipIf(!hasTerminals)(
  'sync --wait shows one live line, and Ctrl-C ends it with 130',
  async () => {
    const { redis, keys, env } = await prepare(1);
    const args = ['sync', 'registry-0', '--wait'];
    const terminal = await startInTerminal(args, { columns: 60, rows: 20, env });
    await terminal.untilShown(/\r␛\[Kregistry-0: waiting for a worker \d/);
    await redis.hset(keys.status('registry-0'), {
      phase: 'Syncing',
      message: 'syncing: read 3,100 rows in 31 pages',
      leaseUntil: String(Date.now() + 60_000),
    });
    await terminal.untilShown(/\r␛\[Kregistry-0: read 3,100 rows in 31 pages \d/);
    terminal.type('\x03');
    expect(await terminal.exitStatus).toBe(130);
    expect(terminal.written()).toMatch(/registry-0: request 1 stays open\s*$/);
  },
);

test.skipIf(!hasTerminals)('colours are shown on terminals that support them', async () => {
  const { env } = await prepare(1);
  const show = async (more: Readonly<Record<string, string>>, ...options: string[]) => {
    const size = { columns: 80, rows: 20 };
    const terminal = await startInTerminal(['status', ...options], {
      ...size,
      env: { ...env, ...more },
    });
    expect(await terminal.exitStatus).toBe(0);
    return terminal.written();
  };
  expect(await show({})).toContain('␛[90mPending');
  for (const plain of [show({ NO_COLOR: '1' }), show({ TERM: 'dumb' }), show({}, '--no-color')]) {
    expect(await plain).not.toContain('␛[');
  }
});
