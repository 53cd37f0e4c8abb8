import type { RedisSettings } from '@syncline/runtime/redis-server';

/** The name that the sentinels use for the current primary. */
export const MASTER_NAME = 'syncline';

const DOWN_AFTER_MS = 1_500;
/** The sentinels repeat a failed failover after twice this time. */
const FAILOVER_TIMEOUT_MS = 3_000;

export interface ReplicationSettings {
  /** The number of sentinels, a majority of which has to agree. Default: one, which is fastest. */
  readonly sentinels?: number;
  /** If a node does not answer for this long, a sentinel considers it gone. Default: 1,500. */
  readonly downAfterMs?: number;
  /** The password of the nodes. Default: none. */
  readonly password?: string;
  /** The password of the sentinels. Default: none. */
  readonly sentinelPassword?: string;
  /** Settings for both nodes, such as `min-replicas-to-write`. */
  readonly settings?: RedisSettings;
}

/**
 * Returns the settings of a node that starts while the primary is at `primaryPort`, which may be the
 * port of this node.
 */
export function nodeSettings(
  { password, settings }: ReplicationSettings,
  { port, primaryPort }: { port: number; primaryPort: number },
): RedisSettings {
  return {
    // Otherwise the primary waits five seconds for more replicas before it starts a sync.
    'repl-diskless-sync-delay': '0',
    ...(password === undefined ? {} : { requirepass: password, masterauth: password }),
    ...(port === primaryPort ? {} : { replicaof: ['127.0.0.1', String(primaryPort)] }),
    ...settings,
  };
}

/** Returns the initial content of a sentinel's file. */
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

/** Returns the URL that clients use. */
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
