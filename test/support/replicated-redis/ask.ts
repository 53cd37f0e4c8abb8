import { Redis } from 'ioredis';
import { z } from 'zod';
import { MASTER_NAME } from './settings.ts';

/** The address of a node or of a sentinel. */
export interface Place {
  readonly port: number;
  readonly password?: string | undefined;
}

const ANSWER_TIMEOUT_MS = 2_000;

/** Sends one question to a node or a sentinel, over a separate connection. */
export async function ask<Answer>(
  { port, password }: Place,
  question: (redis: Redis) => Promise<Answer>,
): Promise<Answer> {
  const redis = new Redis({
    port,
    host: '127.0.0.1',
    ...(password === undefined ? {} : { password }),
    commandTimeout: ANSWER_TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    enableReadyCheck: false,
  });
  redis.on('error', () => {});
  try {
    return await question(redis);
  } finally {
    redis.disconnect();
  }
}

const replicationSchema = z.object({
  role: z.enum(['master', 'slave']),
  master_link_status: z.string().optional(),
  master_repl_offset: z.coerce.number(),
  slave_repl_offset: z.coerce.number().optional(),
});

/** Returns the role and the replication offset of a node. */
export async function replicationOf(redis: Redis): Promise<z.infer<typeof replicationSchema>> {
  const info = await redis.info('replication');
  const lines = info.split('\r\n').map((line) => line.split(':'));
  return replicationSchema.parse(Object.fromEntries(lines));
}

const addressSchema = z.tuple([z.string(), z.coerce.number()]);

/** Returns the port of the node to which a sentinel sends clients. */
export async function primaryPortOf(redis: Redis): Promise<number> {
  const address = await redis.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER_NAME);
  return addressSchema.parse(address)[1];
}

const flagsSchema = z.looseObject({ flags: z.string() });

/** Returns the flags of the replicas, or of the other sentinels, that a sentinel knows. */
export async function flagsOf(redis: Redis, what: 'REPLICAS' | 'SENTINELS'): Promise<string[]> {
  const found = await redis.call('SENTINEL', what, MASTER_NAME);
  const lists = z.array(z.array(z.string())).parse(found);
  return lists.map((list) => flagsSchema.parse(pairs(list)).flags);
}

function pairs(list: readonly string[]): Record<string, string> {
  const entries = list.flatMap((name, index) =>
    index % 2 === 0 ? [[name, list[index + 1] ?? ''] as const] : [],
  );
  return Object.fromEntries(entries);
}
