import {
  controlSchema,
  type Lease,
  type Logger,
  parseHash,
  type RedisKeys,
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
import { z } from 'zod';
import { type KeyAccess, luaScript, pairsOf, storeCall } from '../lua/lua-script.ts';
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
const acquiredState = z.object({ status: hash(), control: hash(), served: z.string().optional() });
const finishReply = z.union([
  z.tuple([z.literal('finished'), z.number()]),
  z.tuple([z.literal('refused')]),
  z.tuple([z.literal('incomplete'), z.string()]),
]);

export interface RunStoreOptions extends KeyAccess {
  /** Logs the invalid fields that a run has removed. */
  readonly logger?: Pick<Logger, 'warn'> | undefined;
}

/** The fields of the lease. A run never removes them, even if they are invalid. */
const TOKEN_FIELDS: readonly string[] = ['term', 'owner', 'leaseUntil', 'startsWithoutFinish'];

/** Creates the store of leases and fenced writes. Each operation is one script, and uses Redis's clock. */
export function createRedisRunStore({ redis, keys, logger }: RunStoreOptions): RunStore {
  return {
    acquire: (options) => acquire({ redis, keys, logger }, options),

    renew: (leases, { ttlMs }) => Promise.all(leases.map((lease) => renew(lease, ttlMs))),

    publishAndFinish: (lease, ending, publication) => finish(lease, ending, publication),
    finish: (lease, ending) => finish(lease, ending, undefined),

    async confirmUnchanged(registry, { term, changes }) {
      const { set } = statusFields(changes);
      const args = [term, ...Object.entries(set).flat()];
      const names = [...leaseKeys(keys, registry), keys.snapshot(registry)];
      return (await confirmUnchangedScript(redis, names, args)) === 1;
    },
  };

  async function renew({ registry, term, owner }: Lease, ttlMs: number): Promise<Renewal> {
    const reply = await renewScript(redis, leaseKeys(keys, registry), [term, owner, ttlMs]);
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
        ...leaseKeys(keys, registry),
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
  const names = [...leaseKeys(keys, registry), keys.snapshot(registry)];
  const reply = await acquireScript(redis, names, [
    owner,
    ttlMs,
    purpose.kind,
    purposeArgument(purpose),
    isIsolated ? '1' : '0',
    POISON_AFTER_STARTS,
  ]);
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
  const { served, ...hashes } = acquiredState.parse(JSON.parse(json));
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
    // The script counts this start after it reads the status.
    status: { ...status, startsWithoutFinish: status.startsWithoutFinish + 1 },
    control: control.value,
    served,
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

function leaseKeys(keys: RedisKeys, registry: string): string[] {
  return [keys.status(registry), keys.control(registry)];
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

/** Parses a hash that Lua has encoded in JSON: a flat list, or an empty object for a hash without fields. */
function hash() {
  const pairs = z.array(z.string()).transform((flat) => Object.fromEntries(pairsOf(flat)));
  return z.union([pairs, z.strictObject({})]);
}

const saveStatusScript = luaScript('save-status');

/** Stores each status in a Redis hash, which anyone may read. Each write is fenced. */
export function createRedisStatusPersistence({
  redis,
  keys,
  config,
}: KeyAccess & { readonly config: Pick<ConfigSource, 'targets'> }): StatusPersistence {
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
      const statuses = [...registries].map(([name, { status }]) => [name, status] as const);
      return new Map(statuses.filter(([, { term }]) => term !== undefined));
    },
  };
}
