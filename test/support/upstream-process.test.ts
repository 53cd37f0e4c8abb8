import { expect, test } from 'vitest';
import { generateRows } from './rows/generate.ts';
import { rowKey } from './rows/row.ts';
import { startUpstreamProcess } from './upstream-process.ts';

test('an upstream process serves generated rows, and changes them on command', async () => {
  const upstream = await startUpstreamProcess({ count: 40, seed: 5 });
  expect(upstream.rows).toBe(40);
  expect(upstream.pid).not.toBe(process.pid);
  const [first] = generateRows({ count: 40, seed: 5 });
  if (first === undefined) throw new Error('expected rows');
  const read = async () => (await fetch(`${upstream.url}/v0.1/servers?limit=1`)).text();
  expect(await read()).toContain(JSON.stringify(first));
  const changed = { ...first, server: { ...first.server, description: 'changed' } };
  await upstream.upsert([changed]);
  expect(await read(), rowKey(first)).toContain(JSON.stringify(changed));
});
