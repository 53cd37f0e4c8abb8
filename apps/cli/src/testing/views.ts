import {
  controlSchema,
  type RegistryView,
  type Run,
  registryConfigSchema,
  registryView,
  statusSchema,
} from '@syncline/contract';

/** The current time in the tests of views. */
export const NOW_MS = Date.parse('2026-08-01T12:00:00.000Z');

/** Returns the time that is this many milliseconds after {@link NOW_MS}. */
export function at(offsetMs: number): string {
  return new Date(NOW_MS + offsetMs).toISOString();
}

export interface ViewFields {
  readonly name?: string;
  readonly status?: Parameters<typeof statusSchema.parse>[0];
  readonly control?: Parameters<typeof controlSchema.parse>[0];
  readonly config?: object;
}

/** Creates the view of a registry from the fields that Redis would have. */
export function viewOf({ name = 'local', status = {}, control = {}, config }: ViewFields = {}) {
  const registry = registryConfigSchema.parse({ name, file: { path: '/data.json' }, ...config });
  const stored = { status: statusSchema.parse(status), control: controlSchema.parse(control) };
  const view: RegistryView = registryView(registry, stored, NOW_MS);
  return view;
}

/** Creates a run that published twelve rows. */
export function runOf(fields: Partial<Run> = {}): Run {
  return {
    id: 'local:17',
    registry: 'local',
    term: '17',
    owner: 'someone',
    trigger: 'schedule',
    reason: 'source-data-changed',
    outcome: 'published',
    startedAt: at(-90_000),
    finishedAt: at(-89_915),
    durationMs: 85,
    handledRequest: 0,
    upstream: { requests: 1, bytes: 100 },
    snapshot: '0f3ac2d51b77aa',
    rowCount: 12,
    diff: { added: 12, updated: 0, removed: 0, samples: { added: [], updated: [], removed: [] } },
    ...fields,
  };
}
