import type { RedisSettings } from '@syncline/runtime/redis-server';

/** The sentinels' name for the primary, whichever node that is. */
export const MASTER_NAME = 'syncline';

const DOWN_AFTER_MS = 1_500;
/** After twice this time, the sentinels repeat a failover that failed. */
const FAILOVER_TIMEOUT_MS = 3_000;

export interface ReplicationSettings {
  /** How many sentinels watch; a majority has to agree. One by default, which is fastest. */
  readonly sentinels?: number;
  /** After how long without an answer a sentinel considers a node gone; 1,500 by default. */
  readonly downAfterMs?: number;
  /** The login that clients of the nodes need; none by default. */
  readonly password?: string;
  /** The login that clients of the sentinels need; none by default. */
  readonly sentinelPassword?: string;
  /** For both nodes, such as `min-replicas-to-write`. */
  readonly settings?: RedisSettings;
}

/** Settings of a node that starts while the primary is at `primaryPort`, which may be its own port. */
export function nodeSettings(
  { password, settings }: ReplicationSettings,
  { port, primaryPort }: { port: number; primaryPort: number },
): RedisSettings {
  return {
    // Otherwise a replica waits five seconds for other replicas to sync with.
    'repl-diskless-sync-delay': '0',
    ...(password === undefined ? {} : { requirepass: password, masterauth: password }),
    ...(port === primaryPort ? {} : { replicaof: ['127.0.0.1', String(primaryPort)] }),
    ...settings,
  };
}

/** The first version of a sentinel's file. */
export function sentinelConfig(options: ReplicationSettings, primaryPort: number): string {
  const { sentinels = 1, downAfterMs = DOWN_AFTER_MS, password, sentinelPassword } = options;
  const quorum = Math.floor(sentinels / 2) + 1;
  return [
    `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${primaryPort} ${quorum}`,
    `sentinel down-after-milliseconds ${MASTER_NAME} ${downAfterMs}`,
    `sentinel failover-timeout ${MASTER_NAME} ${FAILOVER_TIMEOUT_MS}`,
    ...(password === undefined ? [] : [`sentinel auth-pass ${MASTER_NAME} ${password}`]),
    ...(sentinelPassword === undefined
      ? []
      : [`requirepass ${sentinelPassword}`, `sentinel sentinel-pass ${sentinelPassword}`]),
    '',
  ].join('\n');
}

/** The URL that clients use. */
export function sentinelUrl(
  { password, sentinelPassword }: ReplicationSettings,
  ports: readonly number[],
): string {
  const user = password === undefined ? '' : `:${encodeURIComponent(password)}@`;
  const hosts = ports.map((port) => `127.0.0.1:${port}`).join(',');
  const query =
    sentinelPassword === undefined
      ? ''
      : `?sentinel_password=${encodeURIComponent(sentinelPassword)}`;
  return `redis+sentinel://${user}${hosts}/${MASTER_NAME}${query}`;
}
