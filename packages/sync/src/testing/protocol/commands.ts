/**
 * The actions of holders, requesters and operators, each as one command. A command is one call of a port, and thus one
 * script. Redis runs one script at a time, so that every interleaving of processes is a sequence of commands.
 */
import { fencingToken, toSynclineError } from '@syncline/contract';
import type { LeasePurpose } from '../../ports/run-store.ts';
import { endRun } from './endings.ts';
import {
  type EndingKind,
  type KnownLease,
  ModelRegistry,
  type ProtocolModel,
  SNAPSHOTS,
  type SnapshotName,
} from './model.ts';
import { bytesOf, chunkOf, manifestOf, nameOf } from './observe.ts';
import type { ProtocolStore } from './protocol-store.ts';

/** Longer than any test. */
const LEASE_TTL_MS = 600_000;
const LATER = '2030-01-01T00:00:00.000Z';

/** What a command did, its answer, and the expected answer. */
export interface Played {
  readonly what: string;
  readonly answer: unknown;
  readonly expected: unknown;
  /** Whether the command may have changed the store. */
  readonly changes: boolean;
}

export interface World {
  readonly store: ProtocolStore;
  readonly registry: string;
}

export interface Step {
  readonly name: string;
  isPossible(model: ProtocolModel): boolean;
  /** Changes the store, and changes the model in the same way. */
  play(model: ProtocolModel, world: World): Promise<Played>;
}

/** Creates a step that is possible at any time. */
function step(name: string, play: Step['play'], isPossible: Step['isPossible'] = () => true): Step {
  return { name, play, isPossible };
}

/** Creates a step under an earlier lease, `back` leases before the newest. The lease may have ended. */
function underLease(
  back: number,
  name: string,
  play: (run: KnownLease, model: ModelRegistry, world: World) => Promise<Played>,
): Step {
  return step(
    `under lease -${back}: ${name}`,
    (model, world) => {
      const run = model.lease(back);
      if (run === undefined) throw new Error('there is no lease yet');
      return play(run, model.registry, world);
    },
    ({ leases }) => leases.length > 0,
  );
}

export function acquire(owner: string, purpose: LeasePurpose, isIsolated: boolean): Step {
  const asked = { purpose, isIsolated };
  return step(`${owner} acquires: ${JSON.stringify(asked)}`, async (model, { store, registry }) => {
    const { registry: stored } = model;
    const { requested, handled } = stored;
    const expected = stored.ask(asked);
    const options = { registry, owner, ttlMs: LEASE_TTL_MS, ...asked };
    const answer = await store.runStore.acquire(options);
    const what = `${owner} acquires (${purpose.kind})`;
    if (answer.state !== 'acquired' || expected !== 'acquired') {
      const changes = stored.requested !== requested;
      if (answer.state !== 'isolate') return { what, answer: answer.state, expected, changes };
      const { state, openRequest } = answer;
      return {
        what,
        answer: { state, openRequest },
        expected: { state: expected, openRequest: stored.openRequest },
        changes,
      };
    }
    const { lease, status, control } = answer;
    const grows = BigInt(lease.term) > model.lastTerm;
    stored.take(lease);
    model.lastTerm = BigInt(lease.term);
    model.leaseCount += 1;
    const label = `t${model.leaseCount} of ${owner}`;
    model.leases.push({ lease, label, acquired: answer });
    return {
      what: `${what}: ${label}`,
      changes: true,
      answer: {
        grows,
        owner: lease.owner,
        startsWithoutFinish: status.startsWithoutFinish,
        requested: control.requested,
        handled: control.handled,
        force: control.force,
        served: nameOf(answer.served),
      },
      expected: {
        grows: true,
        owner,
        startsWithoutFinish: stored.startsWithoutFinish,
        requested: requested + (purpose.kind === 'request' ? 1 : 0),
        handled,
        force: stored.force,
        served: stored.pointer,
      },
    };
  });
}

export function request(options: { force: boolean }): Step {
  return step(`a request ${JSON.stringify(options)}`, async (model, { store, registry }) => {
    model.registry.request(options);
    await store.request(registry, options);
    const what = `request ${model.registry.requested}${options.force ? ', forced' : ''}`;
    return { what, answer: 'counted', expected: 'counted', changes: true };
  });
}

export function renew(back: number): Step {
  return underLease(back, 'renew', async ({ lease, label }, stored, { store }) => {
    const isHeld = stored.isHeldUnder(lease);
    if (isHeld) stored.lapsed = false;
    const stop = stored.suspended || stored.pinned !== undefined;
    const [answer] = await store.runStore.renew([lease], { ttlMs: LEASE_TTL_MS });
    const expected = isHeld ? { held: true, stop } : { held: false };
    return { what: `${label} renews`, answer, expected, changes: isHeld };
  });
}

export function write(
  back: number,
  name: SnapshotName,
  parts: { chunks: boolean; manifest: boolean },
): Step {
  const text = [...(parts.chunks ? ['chunks'] : []), ...(parts.manifest ? ['manifest'] : [])];
  return underLease(
    back,
    `write ${text.join(', ')} of ${name}`,
    async ({ lease, label }, stored, { store }) => {
      const isHeld = stored.isHeldUnder(lease);
      const answer: boolean[] = [];
      if (parts.chunks) {
        if (isHeld) for (const chunk of SNAPSHOTS[name]) stored.chunks.add(chunk);
        answer.push(await store.snapshots.writeChunks(lease, SNAPSHOTS[name].map(chunkOf)));
      }
      if (parts.manifest) {
        if (isHeld) stored.manifests.add(name);
        answer.push(await store.snapshots.writeManifest(lease, manifestOf(name)));
      }
      const what = `${label} writes ${text.join(' and ')} of ${name}`;
      return { what, answer, expected: text.map(() => isHeld), changes: isHeld };
    },
  );
}

/** Writes a chunk although the registry may store no more bytes than it stores now. */
export function overfill(back: number, name: SnapshotName): Step {
  return underLease(
    back,
    `write beyond the quota for ${name}`,
    async ({ lease, label }, stored, { store }) => {
      const [chunk] = SNAPSHOTS[name];
      const limits = { registry: bytesOf(stored), total: Number.MAX_SAFE_INTEGER };
      const answer = await store.snapshots
        .writeChunks(lease, [chunkOf(chunk)], limits)
        .catch((error: unknown) => toSynclineError(error).code);
      const expected = stored.isHeldUnder(lease)
        ? stored.chunks.has(chunk) || 'registry-over-quota'
        : false;
      const what = `${label} writes ${chunk} beyond the quota`;
      return { what, answer, expected, changes: false };
    },
  );
}

type OrderlyEnding = Exclude<EndingKind, 'published' | 'poisoned'>;

export function finish(back: number, kind: OrderlyEnding): Step {
  return underLease(back, `finish as ${kind}`, async (run, stored, { store }) => {
    const { lease, label, acquired } = run;
    const { written, model } = endRun(acquired, kind);
    const isHeld = stored.isHeldUnder(lease);
    if (isHeld) stored.end(run, model);
    const expected = isHeld || stored.hasEnded(lease) ? finished(stored) : { state: 'refused' };
    const answer = await store.runStore.finish(lease, written);
    return { what: `${label} finishes as ${model.kind}`, answer, expected, changes: isHeld };
  });
}

export function publish(back: number, name: SnapshotName, pin: boolean): Step {
  return underLease(back, `publish ${name}${pin ? ', pinned' : ''}`, async (run, stored, world) => {
    const { lease, label, acquired } = run;
    const chunks = SNAPSHOTS[name].map((chunk) => chunkOf(chunk).digest);
    const publication = { manifest: manifestOf(name).digest, chunks, pin };
    const { written, model } = endRun(acquired, 'published', publication);
    const isHeld = stored.isHeldUnder(lease);
    const missing = stored.missingOf(name);
    const isWhole = missing.length === 0;
    // A poisoned run has nothing to publish.
    const isPublished = model.kind === 'published';
    if (isHeld && (isWhole || !isPublished)) {
      stored.end(run, { ...model, publish: isPublished ? { name, pin } : undefined });
    } else if (isHeld) {
      return incomplete(run, { world, written, publication, missing });
    }
    const expected = isHeld || stored.hasEnded(lease) ? finished(stored) : { state: 'refused' };
    const { runStore } = world.store;
    const answer = isPublished
      ? await runStore.publishAndFinish(lease, written, publication)
      : await runStore.finish(lease, written);
    return { what: `${label} publishes ${name}`, answer, expected, changes: isHeld };
  });
}

async function incomplete(
  { lease, label }: KnownLease,
  {
    world,
    written,
    publication,
    missing,
  }: {
    world: World;
    written: Parameters<ProtocolStore['runStore']['publishAndFinish']>[1];
    publication: Parameters<ProtocolStore['runStore']['publishAndFinish']>[2];
    missing: readonly string[];
  },
): Promise<Played> {
  const finished = await world.store.runStore.publishAndFinish(lease, written, publication);
  const lacks = finished.state === 'incomplete' ? nameOf(finished.missing) : undefined;
  return {
    what: `${label} publishes without ${missing.join(', ')}`,
    answer: { state: finished.state, isMissing: lacks !== undefined && missing.includes(lacks) },
    expected: { state: 'incomplete', isMissing: true },
    changes: false,
  };
}

/** Confirms to the store that nothing has changed. Only a run that ended well does this. */
export function confirmUnchanged(back: number): Step {
  const quiet = underLease(
    back,
    'confirm unchanged',
    async ({ lease, label }, stored, { store, registry }) => {
      const isFree = !stored.suspended && stored.pinned === undefined && stored.openRequest === 0;
      const expected = stored.hasEnded(lease) && isFree && stored.pointer === stored.snapshot;
      const changes = { lastSuccessAt: LATER, lastAttemptAt: LATER };
      const answer = await store.runStore.confirmUnchanged(registry, { term: lease.term, changes });
      return {
        what: `${label} confirms that nothing has changed`,
        answer,
        expected,
        changes: expected,
      };
    },
  );
  return {
    ...quiet,
    isPossible: (model) => {
      const run = model.lease(back);
      return run !== undefined && (run.phaseLeft ?? 'Complete') === 'Complete';
    },
  };
}

/**
 * Writes as another owner with the same term, which a Redis with a slow clock may issue again after a failover. The
 * store refuses each write, except the repeated finish of an ended run.
 */
export function impersonate(back: number): Step {
  return underLease(
    back,
    'another owner',
    async ({ lease, label, acquired }, stored, { store }) => {
      const other = { ...lease, owner: 'mallory' };
      const { written } = endRun(acquired, 'failed');
      const [renewal] = await store.runStore.renew([other], { ttlMs: LEASE_TTL_MS });
      const isWritten = await store.snapshots.writeChunks(other, [chunkOf('c-1')]);
      const end = await store.runStore.finish(other, written);
      return {
        what: `another owner under the term of ${label}`,
        answer: [renewal, isWritten, end],
        expected: [
          { held: false },
          false,
          stored.hasEnded(lease) ? finished(stored) : { state: 'refused' },
        ],
        changes: false,
      };
    },
  );
}

export function report(back: number): Step {
  return underLease(back, 'report', async ({ lease, label }, stored, { store, registry }) => {
    const isHeld = stored.isHeldUnder(lease);
    const message = `said by ${label}`;
    if (isHeld) stored.message = message;
    const expected = fencingToken(lease);
    const answer = await store.status.save(registry, { message }, { expected });
    return { what: `${label} reports`, answer, expected: isHeld, changes: isHeld };
  });
}

/** Removes all snapshots except the served one. Also asks to remove the served one, like a holder with old data. */
export function collect(back: number): Step {
  return underLease(back, 'collect', async ({ lease, label }, stored, { store }) => {
    const isHeld = stored.isHeldUnder(lease);
    const { manifests, chunks } = stored.garbage();
    if (isHeld) stored.collect({ manifests, chunks });
    const answer = await store.snapshots.collect(lease, {
      manifests: [...manifests, ...(stored.pointer === undefined ? [] : [stored.pointer])].map(
        (name) => manifestOf(name).digest,
      ),
      chunks: chunks.map((chunk) => chunkOf(chunk).digest),
    });
    return { what: `${label} collects`, answer, expected: isHeld, changes: isHeld };
  });
}

/** Expires the lease, because its holder is dead, asleep or cut off. The holder may still write later. */
export const lapse: Step = step(
  'the lease ends',
  async ({ registry: stored }, { store, registry }) => {
    stored.lapsed = true;
    await store.expireLease(registry);
    return { what: 'the lease ends', answer: 'so', expected: 'so', changes: true };
  },
  ({ registry }) => registry.isRunning,
);

/** Kills the newest holder, which never writes again. */
export const crash: Step = step(
  'the newest holder dies',
  async ({ leases }) => {
    const { label = '' } = leases.pop() ?? {};
    return { what: `${label} dies`, answer: 'so', expected: 'so', changes: false };
  },
  ({ leases }) => leases.length > 0,
);

export const suspend: Step = step('suspend', async (model, { store, registry }) => {
  model.registry.suspended = true;
  await store.changeControl(registry, { suspended: true });
  return { what: 'suspended', answer: 'so', expected: 'so', changes: true };
});

export const pin: Step = step('pin', async (model, { store, registry }) => {
  model.registry.pinned = 'a';
  await store.changeControl(registry, { pinned: manifestOf('a').digest });
  return { what: 'pinned', answer: 'so', expected: 'so', changes: true };
});

export const resume: Step = step('resume', async (model, { store, registry }) => {
  model.registry.suspended = false;
  model.registry.pinned = undefined;
  await store.resume(registry);
  return { what: 'resumed', answer: 'so', expected: 'so', changes: true };
});

export const losePointer: Step = step(
  'the pointer is lost',
  async (model, { store, registry }) => {
    model.registry.pointer = undefined;
    await store.losePointer(registry);
    return { what: 'the pointer is lost', answer: 'so', expected: 'so', changes: true };
  },
  ({ registry }) => registry.pointer !== undefined,
);

export const loseData: Step = step('the store loses its data', async (model, world) => {
  model.registry = new ModelRegistry();
  await world.store.loseData(world.registry);
  // From now on, terms come only from the clock.
  await world.store.passTime();
  return { what: 'all data is lost', answer: 'so', expected: 'so', changes: true };
});

/** I5: a sweep finds every open request and every interrupted run. */
export const sweep: Step = step('sweep', async ({ registry: stored }, { store, registry }) => {
  const { owner, lapsed, term, openRequest, isRunning } = stored;
  const expected = {
    ...(owner !== undefined && lapsed ? { interruptedTerm: term } : {}),
    ...(openRequest > 0 && !isRunning ? { openRequest } : {}),
  };
  const answer = (await store.sweep?.(registry)) ?? expected;
  return { what: 'sweep', answer, expected, changes: false };
});

function finished({ openRequest }: ModelRegistry) {
  return openRequest === 0 ? { state: 'finished' } : { state: 'finished', openRequest };
}
