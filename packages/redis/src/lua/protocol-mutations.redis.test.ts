/**
 * The model proves the protocol only if it detects a script that breaks it: each of these is a
 * script with a plausible mistake.
 */
import { findViolation } from '@syncline/sync/testing';
import { expect, test } from 'vitest';
import { type Mutation, mutatedRedis } from '../testing/mutated-redis.ts';
import { redisProtocolStore } from '../testing/redis-protocol-store.ts';
import { testRedis } from '../testing/test-redis.ts';

const FENCE = 'if stored[1] ~= ARGV[1] or stored[2] ~= ARGV[2] then';

const MUTATIONS: readonly (Mutation & { readonly mistake: string })[] = [
  ...['publish-and-finish', 'write-blobs', 'collect', 'renew'].flatMap((script) => [
    { mistake: 'writes without a fence', script, from: FENCE, to: 'if false then' },
    {
      mistake: 'compares the term alone',
      script,
      from: FENCE,
      to: 'if stored[1] ~= ARGV[1] then',
    },
    {
      mistake: 'compares the owner alone',
      script,
      from: FENCE,
      to: 'if stored[2] ~= ARGV[2] then',
    },
  ]),
  {
    mistake: 'writes without a fence',
    script: 'save-status',
    from: 'if token ~= ARGV[1] then return 0 end',
    to: '',
  },
  {
    mistake: 'writes without a fence',
    script: 'confirm-unchanged',
    from: 'if stored[1] ~= ARGV[1] or stored[2] then return 0 end',
    to: '',
  },
  {
    mistake: 'ignores a current run',
    script: 'confirm-unchanged',
    from: ' or stored[2] then',
    to: ' then',
  },
  {
    mistake: 'ignores an open request',
    script: 'confirm-unchanged',
    from: 'if (tonumber(control[1]) or 0) > (tonumber(control[2]) or 0) then return 0 end',
    to: '',
  },
  {
    mistake: 'ignores a suspension and a pin',
    script: 'confirm-unchanged',
    from: "if control[3] == '1' or control[4] then return 0 end",
    to: '',
  },
  {
    mistake: 'ignores a lost pointer',
    script: 'confirm-unchanged',
    from: "if redis.pcall('GET', KEYS[3]) ~= stored[3] then return 0 end",
    to: '',
  },
  {
    mistake: 'hides a lost pointer',
    script: 'acquire',
    from: "local served = redis.pcall('GET', KEYS[3])",
    to: "local served = redis.call('HGET', KEYS[1], 'snapshot')",
  },
  {
    mistake: 'takes a current lease',
    script: 'acquire',
    from: 'if stored[2] and leaseUntil > nowMs then',
    to: 'if false then',
  },
  {
    mistake: 'does not free a lease that has ended',
    script: 'acquire',
    from: 'if stored[2] and leaseUntil > nowMs then',
    to: 'if stored[2] then',
  },
  {
    mistake: 'reuses a term',
    script: 'acquire',
    from: 'math.max(whole(stored[1]) + 1, time[1] * 1000000 + time[2])',
    to: 'math.max(whole(stored[1]), 1)',
  },
  {
    mistake: 'restarts terms at 1 after all data was lost',
    script: 'acquire',
    from: 'math.max(whole(stored[1]) + 1, time[1] * 1000000 + time[2])',
    to: 'whole(stored[1]) + 1',
  },
  {
    mistake: 'does not count a request while the lease is busy',
    script: 'acquire',
    from: "  requested = redis.call('HINCRBY', KEYS[2], 'requested', 1)",
    to: "  if not stored[2] then requested = redis.call('HINCRBY', KEYS[2], 'requested', 1) end",
  },
  {
    mistake: 'does not count starts',
    script: 'acquire',
    from: "string.format('%.0f', whole(stored[4]) + 1)",
    to: "'1'",
  },
  {
    mistake: 'never asks for isolation',
    script: 'acquire',
    from: "if ARGV[5] ~= '1' and",
    to: 'if false and',
  },
  {
    mistake: 'refuses isolated runs too',
    script: 'acquire',
    from: "if ARGV[5] ~= '1' and",
    to: 'if',
  },
  {
    mistake: 'answers "isolate" without the open request',
    script: 'acquire',
    from: "return {'isolate', requested > handled and",
    to: "return {'isolate', false and",
  },
  {
    mistake: 'treats every wake-up as handled',
    script: 'acquire',
    from: 'if handled >= tonumber(ARGV[4])',
    to: 'if true',
  },
  {
    mistake: 'does not return a request that is still open',
    script: 'publish-and-finish',
    from: "  if openRequest() == 0 then redis.call('HDEL', KEYS[2], 'force') end\nend\nreturn {'finished', openRequest()}",
    to: "  if openRequest() == 0 then redis.call('HDEL', KEYS[2], 'force') end\nend\nreturn {'finished', 0}",
  },
  {
    mistake: 'handles requests that were made during the run',
    script: 'publish-and-finish',
    from: "redis.call('HSET', KEYS[2], 'handled', ARGV[3])",
    to: "redis.call('HSET', KEYS[2], 'handled', redis.call('HGET', KEYS[2], 'requested'))",
  },
  {
    mistake: 'clears force while a request is open',
    script: 'publish-and-finish',
    from: "if openRequest() == 0 then redis.call('HDEL', KEYS[2], 'force') end",
    to: "redis.call('HDEL', KEYS[2], 'force')",
  },
  {
    mistake: 'refuses a repeated call',
    script: 'publish-and-finish',
    from: "if stored[1] == ARGV[1] and not stored[2] then return {'finished', openRequest()} end",
    to: '',
  },
  {
    mistake: 'publishes a snapshot without its manifest',
    script: 'publish-and-finish',
    from: "if redis.call('HEXISTS', KEYS[5], manifest) == 0 then return {'incomplete', manifest} end",
    to: '',
  },
  {
    mistake: 'publishes a snapshot that lacks a chunk',
    script: 'publish-and-finish',
    from: "if redis.call('HEXISTS', KEYS[6], digest) == 0 then return {'incomplete', digest} end",
    to: '',
  },
  {
    mistake: 'does not record the superseded snapshot',
    script: 'publish-and-finish',
    from: "if before and before ~= manifest then redis.call('ZADD', KEYS[7], nowMs, before) end",
    to: '',
  },
  {
    mistake: 'moves the pointer but keeps the lease',
    script: 'publish-and-finish',
    from: "redis.call('HDEL', KEYS[1], 'owner', 'leaseUntil', unpack(ARGV, setEnd + 1))",
    to: "if #ARGV > setEnd then redis.call('HDEL', KEYS[1], unpack(ARGV, setEnd + 1)) end",
  },
  {
    mistake: 'removes the served snapshot',
    script: 'collect',
    from: 'if ARGV[index] ~= served then',
    to: 'if true then',
  },
  {
    mistake: 'counts a blob twice that is written again',
    script: 'write-blobs',
    from: "(sizes[digest] or redis.call('HSTRLEN', KEYS[2], digest))",
    to: '0',
  },
  {
    mistake: 'does not count bytes in the sum',
    script: 'write-blobs',
    from: "  if total then redis.call('HSET', KEYS[3], '', string.format('%.0f', total + added)) end\n",
    to: '',
  },
  {
    mistake: 'ignores the quota of the registry',
    script: 'write-blobs',
    from: 'if own and own + added > tonumber(ARGV[4]) then return 2 end',
    to: '',
  },
  {
    mistake: 'refuses blobs that need no room',
    script: 'write-blobs',
    from: 'if added > 0 then',
    to: 'if true then added = added + 1',
  },
  {
    mistake: 'counts removed bytes',
    script: 'collect',
    from: "freed = freed + redis.call('HSTRLEN', key, digest)",
    to: '',
  },
  {
    mistake: 'counts removed bytes in the sum',
    script: 'collect',
    from: "  if total then redis.call('HSET', KEYS[6], '', string.format('%.0f', total - freed)) end\n",
    to: '',
  },
  {
    mistake: 'does not stop a run that an operator ends',
    script: 'renew',
    from: "if control[1] == '1' or control[2] then return 2 end",
    to: '',
  },
  {
    mistake: 'misses a lease that has ended',
    script: 'find-neglected',
    from: "local term = status[1] and status[2] or ''",
    to: "local term = ''",
  },
  {
    mistake: 'misses an open request',
    script: 'find-neglected',
    from: 'local request = tonumber(control[1]) or 0',
    to: 'local request = 0',
  },
  {
    mistake: 'treats a current run as dead',
    script: 'find-neglected',
    from: 'if isOurs and (not status[1] or (tonumber(status[3]) or 0) <= nowMs) then',
    to: 'if isOurs then',
  },
];

function play(mutation: Mutation, options: Parameters<typeof findViolation>[1]) {
  const shared = testRedis();
  const store = redisProtocolStore({ ...shared, redis: mutatedRedis(shared.redis, mutation) });
  return findViolation(store, options);
}

test.each(MUTATIONS)('the model detects that $script $mistake', async (mutation) => {
  const violation = await play(mutation, { endOnFailure: true, numRuns: 1_000 });
  expect(violation ?? 'nothing was found').toContain('this goes wrong');
});

test('a violation is reported with the shortest sequence of steps', async () => {
  const mutation = {
    script: 'publish-and-finish',
    from: "redis.call('HSET', KEYS[2], 'handled', ARGV[3])",
    to: "redis.call('HSET', KEYS[2], 'handled', redis.call('HGET', KEYS[2], 'requested'))",
  };
  const violation = (await play(mutation, {})) ?? '';
  expect(violation).toMatch(/^with seed -?\d+, after these steps\n1\. /);
  expect(violation.match(/^\d+\. /gm)?.length).toBeLessThanOrEqual(5);
});

test('the model finds no violation if only a comment of a script changes', async () => {
  const mutation = { script: 'acquire', from: 'Takes the lease', to: 'Takes a lease' };
  expect(await play(mutation, { numRuns: 30 })).toBeUndefined();
});
