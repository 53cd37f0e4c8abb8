import type { Redis } from 'ioredis';

/** Returns the bytes that a Redis has received over all its connections since it started. */
export async function receivedBytes(client: Redis): Promise<number> {
  return infoNumber(await client.info('stats'), 'total_net_input_bytes');
}

/** Returns a number of INFO. */
export function infoNumber(info: string, field: string): number {
  const [, value] = new RegExp(`^${field}:(\\d+)`, 'm').exec(info) ?? [];
  if (value === undefined) throw new Error(`Redis does not tell ${field}`);
  return Number(value);
}
