import { type Lifetime, testLifetime } from './lifetime.ts';
import { freePort } from './ports.ts';
import { type RedisServerHandle, startRedisServer } from './redis-server.ts';
import { ask, flagsOf, primaryPortOf, replicationOf } from './replicated-redis/ask.ts';
import {
  MASTER_NAME,
  nodeSettings,
  type ReplicationSettings,
  sentinelConfig,
  sentinelUrl,
} from './replicated-redis/settings.ts';
import { until } from './until.ts';

export interface ReplicatedRedisOptions extends ReplicationSettings {
  readonly lifetime?: Lifetime;
}

/**
 * A primary with a replica, and sentinels that promote the replica. The two nodes change roles. If a killed node is
 * started again, it becomes a replica of the other node, at its old port and in its old directory. If it is back
 * before the sentinels notice, it is still the primary.
 */
export interface ReplicatedRedis {
  /** The `redis+sentinel://…` URL, which leads to the current primary. */
  readonly url: string;
  /** The two nodes, always in the same order. Each node has its own `redis://…` URL. */
  readonly nodes: readonly [RedisServerHandle, RedisServerHandle];
  readonly sentinels: readonly RedisServerHandle[];
  /** Returns the node to which the sentinels send clients. */
  primary(): Promise<RedisServerHandle>;
  /** Returns the node that is not the primary. */
  replica(): Promise<RedisServerHandle>;
  /** Waits until the replica has all data of the primary and could replace it. */
  untilInSync(): Promise<void>;
  /**
   * Freezes the replica and closes its connection to the primary. Redis acknowledges later writes, but they are lost
   * if the primary is killed. Call `resume` of the replica to end this.
   */
  holdReplicaBack(): Promise<void>;
  /** Kills the primary, and lets a held-back replica continue. Returns the killed node. */
  killPrimary(): Promise<RedisServerHandle>;
  /** Makes the sentinels promote the replica while the primary is running. */
  stepBack(): Promise<void>;
  /** Waits until a node other than `old` is the primary and accepts writes. Returns that node. */
  untilFailedOver(old: RedisServerHandle): Promise<RedisServerHandle>;
}

/** Starts a primary, its replica and their sentinels. They end with the test. */
export async function startReplicatedRedis(
  options: ReplicatedRedisOptions = {},
): Promise<ReplicatedRedis> {
  const { lifetime = testLifetime, sentinels: sentinelCount = 1 } = options;
  const sentinels: RedisServerHandle[] = [];
  const ports = [await freePort(), await freePort()] as const;
  const primaryPort = async () => {
    const asked = sentinels.find(({ running }) => running);
    return asked === undefined ? ports[0] : ask(sentinelAt(asked), primaryPortOf);
  };
  const sentinelAt = ({ port }: RedisServerHandle) => ({
    port,
    password: options.sentinelPassword,
  });
  const stateOf = ({ port }: RedisServerHandle) =>
    ask({ port, password: options.password }, replicationOf);

  const startNode = (port: number) => {
    const settings = async () => nodeSettings(options, { port, primaryPort: await primaryPort() });
    return startRedisServer({ port, lifetime, settings });
  };
  const nodes = [await startNode(ports[0]), await startNode(ports[1])] as const;
  const inRoles = async () => {
    const isFirst = (await primaryPort()) === ports[0];
    return isFirst
      ? { primary: nodes[0], replica: nodes[1] }
      : { primary: nodes[1], replica: nodes[0] };
  };
  const untilReplicated = async () => {
    const { primary, replica } = await inRoles();
    const wanted = (await stateOf(primary)).master_repl_offset;
    await until(
      async (see) => {
        const state = await stateOf(replica);
        see(state);
        return state.master_link_status === 'up' && (state.slave_repl_offset ?? 0) >= wanted;
      },
      { what: `the replica ${replica.port} to have all data of ${primary.port}` },
    );
  };
  // A sentinel looks for replicas when it starts, and then only every ten seconds.
  await untilReplicated();
  for (let count = 0; count < sentinelCount; count += 1) {
    const sentinel = sentinelConfig(options, ports[0]);
    sentinels.push(await startRedisServer({ lifetime, sentinel }));
  }
  const untilWatched = () =>
    until(
      async (see) => {
        const running = sentinels.filter((sentinel) => sentinel.running);
        const seen = await Promise.all(
          running.map((sentinel) =>
            ask(sentinelAt(sentinel), async (redis) => ({
              replicas: await flagsOf(redis, 'REPLICAS'),
              others: await flagsOf(redis, 'SENTINELS'),
            })),
          ),
        );
        see(seen);
        return seen.every(
          ({ replicas, others }) =>
            replicas.join() === 'slave' && others.length === sentinelCount - 1,
        );
      },
      { what: 'the sentinels to see each other and a usable replica' },
    );
  const untilInSync = async () => {
    await untilReplicated();
    await untilWatched();
  };
  await untilInSync();

  return {
    url: sentinelUrl(
      options,
      sentinels.map(({ port }) => port),
    ),
    nodes,
    sentinels,
    primary: async () => (await inRoles()).primary,
    replica: async () => (await inRoles()).replica,
    untilInSync,
    holdReplicaBack: async () => {
      const { primary, replica } = await inRoles();
      replica.pause();
      // Otherwise the replica would still read the data that is already in its socket.
      const { port } = primary;
      await ask({ port, password: options.password }, (redis) =>
        redis.call('CLIENT', 'KILL', 'TYPE', 'replica'),
      );
    },
    killPrimary: async () => {
      const { primary, replica } = await inRoles();
      await primary.kill();
      if (replica.running) replica.resume();
      return primary;
    },
    stepBack: async () => {
      const [sentinel] = sentinels;
      if (sentinel === undefined) throw new Error('there is no sentinel');
      await ask(sentinelAt(sentinel), (redis) => redis.call('SENTINEL', 'FAILOVER', MASTER_NAME));
    },
    untilFailedOver: (old) =>
      until(
        async (see) => {
          const { primary } = await inRoles();
          see({ primary: primary.port });
          if (primary === old) return undefined;
          const { role } = await stateOf(primary);
          see({ primary: primary.port, role });
          return role === 'master' && primary;
        },
        { what: `a primary other than ${old.port}` },
      ),
  };
}
