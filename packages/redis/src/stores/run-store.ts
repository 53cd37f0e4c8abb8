import {
  controlSchema,
  type Lease,
  type Logger,
  parseHash,
  type RedisKeys,
  type SyncStatus,
  statusFields,
  statusSchema,
} from '@syncline/contract';
import type { Publication } from '@syncline/snapshot';
import {
  type AcquireOptions,
  type Acquisition,
  type ConfigSource,
  type Finished,
  type LeasePurpose,
  POISON_AFTER_STARTS,
  type Renewal,
  type RunEnding,
  type RunStore,
  type StatusPersistence,
} from '@syncline/sync';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { luaScript, storeCall } from '../lua/lua-script.ts';
import { createRegistryReader } from './registry-reader.ts';

/** How many runs the log of a registry keeps. */
const RUNS_KEPT = 500;

const acquireScript = luaScript('acquire');
const renewScript = luaScript('renew');
const confirmUnchangedScript = luaScript('confirm-unchanged');
const publishAndFinishScript = luaScript('publish-and-finish');

const acquireReply = z.union([
  z.tuple([z.literal('acquired'), z.string(), z.coerce.number(), z.string()]),
  z.tuple([z.literal('busy'), z.string(), z.coerce.number()]),
  z.tuple([z.literal('handled')]),
  z.tuple([z.literal('superseded')]),
  z.tuple([z.literal('isolate'), z.coerce.number()]),
]);
const acquiredHashes = z.object({ status: hash(), control: hash() });
const finishReply = z.union([
  z.tuple([z.literal('finished'), z.number()]),
  z.tuple([z.literal('refused')]),
  z.tuple([z.literal('incomplete'), z.string()]),
]);

export interface RunStoreOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  /** Logs invalid fields that a run has removed. */
  readonly logger?: Pick<Logger, 'warn'> | undefined;
}

/** Fields of the status that are the lease's own: they are never removed for what is in them. */
const TOKEN_FIELDS: readonly string[] = ['term', 'owner', 'leaseUntil', 'startsWithoutFinish'];

/** Leases and what they fence, on Redis: one script for each promise, all time from Redis's clock. */
export function createRedisRunStore({ redis, keys, logger }: RunStoreOptions): RunStore {
  return {
    acquire: (options) => acquire({ redis, keys, logger }, options),

    renew(leases, { ttlMs }) {
      return Promise.all(leases.map((lease) => renew(lease, ttlMs)));
    },

    publishAndFinish: (lease, ending, publication) => finish(lease, ending, publication),
    finish: (lease, ending) => finish(lease, ending, undefined),

    async confirmUnchanged(registry, { term, changes }) {
      const { set } = statusFields(changes);
      const reply = await confirmUnchangedScript(
        redis,
        [keys.status(registry), keys.control(registry)],
        [term, ...Object.entries(set).flat()],
      );
      return reply === 1;
    },
  };

  async function renew({ registry, term, owner }: Lease, ttlMs: number): Promise<Renewal> {
    const reply = await renewScript(
      redis,
      [keys.status(registry), keys.control(registry)],
      [term, owner, ttlMs],
    );
    return reply === 0 ? { held: false } : { held: true, stop: reply === 2 };
  }

  function snapshotKeys(registry: string): string[] {
    return [
      keys.snapshot(registry),
      keys.snapshotManifests(registry),
      keys.snapshotChunks(registry),
      keys.snapshotHistory(registry),
    ];
  }

  async function finish(
    { registry, term, owner }: Lease,
    { changes, run, handledRequest = 0 }: RunEnding,
    publication: Publication | undefined,
  ): Promise<Finished> {
    const { set, remove } = statusFields(changes);
    const fields = Object.entries(set);
    const reply = await publishAndFinishScript(
      redis,
      [
        keys.status(registry),
        keys.control(registry),
        keys.runs(registry),
        ...(publication === undefined ? [] : snapshotKeys(registry)),
      ],
      [
        term,
        owner,
        handledRequest,
        run === undefined ? '' : JSON.stringify(run),
        RUNS_KEPT,
        publication?.manifest ?? '',
        publication?.mirror ?? '',
        publication?.pin === true ? '1' : '0',
        Buffer.from(publication?.chunks.join('') ?? '', 'hex'),
        fields.length,
        ...fields.flat(),
        ...remove,
      ],
    );
    const parsed = finishReply.parse(reply);
    if (parsed[0] === 'refused') return { state: 'refused' };
    if (parsed[0] === 'incomplete') return { state: 'incomplete', missing: parsed[1] };
    return parsed[1] === 0 ? { state: 'finished' } : { state: 'finished', openRequest: parsed[1] };
  }
}

async function acquire(
  { redis, keys, logger }: RunStoreOptions,
  { registry, owner, ttlMs, purpose, isIsolated = false }: AcquireOptions,
): Promise<Acquisition> {
  const reply = await acquireScript(
    redis,
    [keys.status(registry), keys.control(registry)],
    [
      owner,
      ttlMs,
      purpose.kind,
      purposeArgument(purpose),
      isIsolated ? '1' : '0',
      POISON_AFTER_STARTS,
    ],
  );
  const parsed = acquireReply.parse(reply);
  switch (parsed[0]) {
    case 'handled':
    case 'superseded':
      return { state: parsed[0] };
    case 'isolate':
      return { state: 'isolate', openRequest: parsed[1] };
    case 'busy':
      return { state: 'busy', owner: parsed[1], leaseUntilMs: parsed[2] };
    case 'acquired':
      break;
  }
  const [, term, nowMs, json] = parsed;
  const hashes = acquiredHashes.parse(JSON.parse(json));
  const { value: status, invalid } = parseHash(statusSchema, hashes.status);
  const control = parseHash(controlSchema, hashes.control);
  await removeInvalid(
    { redis, keys, logger },
    { registry, status: invalid, control: control.invalid },
  );
  return {
    state: 'acquired',
    lease: { registry, term, owner },
    nowMs,
    // The script has counted this start after it read the status.
    status: { ...status, startsWithoutFinish: status.startsWithoutFinish + 1 },
    control: control.value,
  };
}

/** Removes invalid fields, because each later run and reader would find them again. */
async function removeInvalid(
  { redis, keys, logger }: RunStoreOptions,
  invalid: { registry: string; status: readonly string[]; control: readonly string[] },
): Promise<void> {
  const { registry, control } = invalid;
  if (invalid.status.length + control.length === 0) return;
  logger?.warn(invalid, 'invalid fields removed from Redis');
  const status = invalid.status.filter((field) => !TOKEN_FIELDS.includes(field));
  if (status.length > 0) await redis.hdel(keys.status(registry), ...status);
  if (control.length > 0) await redis.hdel(keys.control(registry), ...control);
}

function purposeArgument(purpose: LeasePurpose): string {
  switch (purpose.kind) {
    case 'tick':
      return String(purpose.supersededWithinMs ?? 0);
    case 'request':
      return purpose.force ? '1' : '0';
    case 'wake-up':
      return String(purpose.request);
  }
}

/** A hash as Lua encodes it in JSON: a flat list, or an empty object if the hash has no field. */
function hash() {
  return z.union([
    z.array(z.string()).transform((flat) => {
      const fields: Record<string, string> = {};
      for (let index = 0; index < flat.length; index += 2) {
        fields[flat[index] ?? ''] = flat[index + 1] ?? '';
      }
      return fields;
    }),
    z.strictObject({}),
  ]);
}

const saveStatusScript = luaScript('save-status');

/** Status in Redis hashes, one a registry, for anyone to read; each write is fenced. */
export function createRedisStatusPersistence({
  redis,
  keys,
  config,
}: {
  redis: Redis;
  keys: RedisKeys;
  config: Pick<ConfigSource, 'targets'>;
}): StatusPersistence {
  const reader = createRegistryReader({ redis, keys });
  return {
    async load(registry) {
      const fields = await storeCall(redis, redis.hgetall(keys.status(registry)));
      return Object.keys(fields).length === 0 ? undefined : parseHash(statusSchema, fields).value;
    },

    async save(registry, changes, { expected }) {
      const { set, remove } = statusFields(changes);
      const fields = Object.entries(set);
      const reply = await saveStatusScript(
        redis,
        [keys.status(registry)],
        [expected ?? '', fields.length, ...fields.flat(), ...remove],
      );
      return reply === 1;
    },

    async list() {
      const names = config.targets().map(({ name }) => name);
      const { registries } = await reader.readMany(names);
      const statuses = new Map<string, SyncStatus>();
      for (const [name, { status }] of registries) {
        if (status.term !== undefined) statuses.set(name, status);
      }
      return statuses;
    },
  };
}
