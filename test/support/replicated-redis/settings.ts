import type { RedisSettings } from '@syncline/runtime/redis-server';

/** What the sentinels call the primary, whichever node that is. */
export const MASTER_NAME = 'syncline';

const DOWN_AFTER_MS = 1_500;
/** After twice this time, a failover that has come to nothing is tried again. */
const FAILOVER_TIMEOUT_MS = 3_000;

export interface ReplicationSettings {
  /** How many sentinels watch; the greater half has to agree. One by default, which is soonest. */
  readonly sentinels?: number;
  /** How long a sentinel hears nothing of a node before it takes it for gone; 1,500 by default. */
  readonly downAfterMs?: number;
  /** What clients of the nodes have to give; nothing by default. */
  readonly password?: string;
  /** What clients of the sentinels have to give; nothing by default. */
  readonly sentinelPassword?: string;
  /** For both nodes, such as `min-replicas-to-write`. */
  readonly settings?: RedisSettings;
}

/** Of a node that starts while the primary is at `primaryPort`, which may be its own port. */
export function nodeSettings(
  { password, settings }: ReplicationSettings,
  { port, primaryPort }: { port: number; primaryPort: number },
): RedisSettings {
  return {
    // Else a replica waits for five seconds whether there are others to be served with it.
    'repl-diskless-sync-delay': '0',
    ...(password === undefined ? {} : { requirepass: password, masterauth: password }),
    ...(port === primaryPort ? {} : { replicaof: ['127.0.0.1', String(primaryPort)] }),
    ...settings,
  };
}

/** The file that a sentinel begins with. */
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

/** How clients name it. */
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
