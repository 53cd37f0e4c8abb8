/** Previews a sync: reads, builds and checks the guard like a run, without a lease, a write or a status change. */

import {
  type Clock,
  type Control,
  controlSchema,
  type Logger,
  PENDING_STATUS,
  type Preview,
  type RegistryConfig,
  SynclineError,
  type SyncStatus,
} from '@syncline/contract';
import type { MemoryAccount } from '@syncline/sources';
import { orLeave } from '../capacity/capacity.ts';
import { filterHash } from '../decide/should-sync.ts';
import type { IngestResult } from '../ingest/messages.ts';
import { fetchAndBuild, type ManagerDependencies } from './manager.ts';
import {
  checkGuard,
  guardNumbers,
  isUnchanged,
  type Previous,
  type ReadContext,
  readPrevious,
} from './store-built.ts';

export interface PreviewDependencies extends ManagerDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface PreviewRequest {
  /** The registry in the current config, or a proposed config entry. */
  readonly registry: RegistryConfig;
  /** The stored state of the registry. `undefined` if the current config does not name it; all rows are then new. */
  readonly stored: { readonly status: SyncStatus; readonly control: Control } | undefined;
  /** Epoch milliseconds by the store's clock. */
  readonly nowMs: number;
  /** How many rows of each kind to name. */
  readonly sampleLimit: number;
  readonly signal: AbortSignal;
}

/** Limits for names of rows and fields, which come from the upstream. */
const MAX_ROW_LABEL = 300;
const MAX_FIELD_LABEL = 100;
const MAX_FIELDS = 30;

/**
 * Reads a registry's source, and returns what a sync would change. Waits while the process is at its capacity.
 *
 * @throws SynclineError if the source or the store fails; `run-timeout` like a run; the signal's reason
 */
export async function previewRegistry(
  deps: PreviewDependencies,
  request: PreviewRequest,
): Promise<Preview> {
  const { timeout } = request.registry.syncPolicy;
  const limit = AbortSignal.timeout(timeout);
  const signal = AbortSignal.any([request.signal, limit]);
  try {
    return await orLeave(preview(deps, { ...request, signal }), { signal });
  } catch (error) {
    if (signal.reason === limit.reason && limit.aborted) {
      throw new SynclineError('run-timeout', `the preview took longer than ${timeout} ms`);
    }
    throw signal.aborted ? signal.reason : error;
  }
}

async function preview(deps: PreviewDependencies, request: PreviewRequest): Promise<Preview> {
  using memory = deps.ingest.memory.open(`the preview of ${request.registry.name}`);
  const context = readContext(deps, { ...request, memory });
  const source = deps.createSource(request.registry);
  const { revision, built, previous } = await fetchAndBuild(deps, context, {
    source,
    previous: await readPrevious(deps, context, { isThorough: false }),
    detail: { sampleLimit: request.sampleLimit },
  });
  return {
    ...judge(context, built, previous),
    ...contentOf(built),
    registry: request.registry.name,
    paused: pausedBy(context),
    rowCountBefore: previous.manifest?.rowCount ?? 0,
    ...(revision === undefined ? {} : { revision }),
    upstream: { ...context.upstream },
    startedAt: new Date(context.startedAtMs).toISOString(),
    durationMs: Math.max(0, Math.round(context.now() - context.startedAtMs)),
  };
}

/** Returns the context of a run, without a lease. */
function readContext(
  { clock, logger }: PreviewDependencies,
  { registry, stored, nowMs, signal, memory }: PreviewRequest & { memory: MemoryAccount },
): ReadContext {
  const startedAtMs = clock.monotonic();
  return {
    registry,
    status: stored?.status ?? PENDING_STATUS,
    control: stored?.control ?? controlSchema.parse({}),
    served: stored?.status.snapshot,
    trigger: 'manual',
    force: true,
    signal,
    now: () => nowMs + (clock.monotonic() - startedAtMs),
    startedAtMs: nowMs,
    upstream: { requests: 0, bytes: 0 },
    memory,
    credentials: new Set(),
    logger,
    report: () => {},
    timePhase: (_phase, work) => work(),
  };
}

function judge(
  { registry, status }: ReadContext,
  built: IngestResult,
  { blob, manifest }: Previous,
): Pick<Preview, 'state' | 'guard'> {
  const states = {
    before: manifest,
    after: built.manifest,
    isFilterNew: status.filterHash !== filterHash(registry),
  };
  const verdict = checkGuard({ guard: registry.guard, ...states });
  const guard = { verdict, ...guardNumbers(states), ...registry.guard } as const;
  if (blob !== undefined && isUnchanged(built, manifest)) return { state: 'unchanged', guard };
  return { state: verdict === 'pass' ? 'would-publish' : 'would-hold', guard };
}

function contentOf({ manifest, diff, changedFields, quarantined }: IngestResult) {
  const { rowCount, sourceRowCount, serverCount, skillCount, pluginCount } = manifest;
  const { added, updated, removed } = diff.samples;
  const shortFields = (fields: readonly string[] = []) =>
    fields.slice(0, MAX_FIELDS).map((field) => shortened(field, MAX_FIELD_LABEL));
  return {
    rowCount,
    sourceRowCount,
    serverCount,
    skillCount,
    pluginCount,
    diff: {
      ...diff,
      samples: {
        added: added.map(shortLabel),
        updated: updated.map(shortLabel),
        removed: removed.map(shortLabel),
      },
    },
    changes: updated.map((row, index) => ({
      row: shortLabel(row),
      fields: shortFields(changedFields[index]),
    })),
    quarantined: {
      count: quarantined.count,
      samples: quarantined.samples.map(({ row, reason }) => ({
        row: shortLabel(row),
        reason: shortLabel(reason),
      })),
    },
  };
}

function pausedBy({ registry, control }: ReadContext): Preview['paused'] {
  if (registry.suspended) return 'suspended-by-config';
  if (control.suspended) return 'suspended';
  return control.pinned === undefined ? null : 'pinned';
}

function shortLabel(text: string): string {
  return shortened(text, MAX_ROW_LABEL);
}

function shortened(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength - 1).toWellFormed()}…`;
}
