import type { Redis } from 'ioredis';

/** Bytes that a Redis has received over all its connections since it started. */
export async function receivedBytes(client: Redis): Promise<number> {
  return numberOf(await client.info('stats'), 'total_net_input_bytes');
}

function numberOf(info: string, field: string): number {
  const [, value] = new RegExp(`^${field}:(\\d+)`, 'm').exec(info) ?? [];
  if (value === undefined) throw new Error(`Redis does not tell ${field}`);
  return Number(value);
}
