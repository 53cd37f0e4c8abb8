import type { RegistryView } from '@syncline/contract';
import { startLoop } from '@syncline/runtime';
import { counted, plain } from '../format/text.ts';
import { createProgress, type Step } from '../progress/progress.ts';

const LOOK_EVERY_MS = 250;

export interface WaitingOptions {
  readonly isQuiet: boolean;
  /** How far it is. A look that fails is not told: what is waited for tells what is wrong. */
  readonly look: () => Promise<Omit<Step, 'elapsedMs'>>;
}

/** Waits for `work`, and shows meanwhile how far it is. */
export async function showingProgress<Result>(
  { isQuiet, look }: WaitingOptions,
  work: () => Promise<Result>,
): Promise<Result> {
  if (isQuiet) return work();
  const progress = createProgress({ isQuiet });
  const startedAtMs = performance.now();
  const loop = startLoop({
    everyMs: LOOK_EVERY_MS,
    pass: async (signal) => {
      const step = await look();
      if (!signal.aborted) progress.show({ ...step, elapsedMs: performance.now() - startedAtMs });
    },
    onError: () => {},
  });
  try {
    return await work();
  } finally {
    // A look may wait for a Redis that is away.
    void loop.stop();
    progress.end();
  }
}

/** `official: read 3,100 rows in 31 pages` */
export function stepOfOne({ name, status }: RegistryView): Omit<Step, 'elapsedMs'> {
  if (status.phase !== 'Syncing') return { stage: 'queued', text: `${name}: waits for a worker` };
  const message = plain((status.message ?? '').replace(/^syncing(: )?/, ''));
  return { stage: 'Syncing', text: `${name}: ${message === '' ? 'is being synced' : message}` };
}

const NAMES_SHOWN = 3;

/** `12 of 40 registries done, 1 failed; syncing official, team and 2 more` */
export function stepOfAll(
  views: readonly RegistryView[],
  { done, failed }: { readonly done: number; readonly failed: number },
): Omit<Step, 'elapsedMs'> {
  const syncing = views.filter(({ status }) => status.phase === 'Syncing').map(({ name }) => name);
  const shown = syncing.slice(0, NAMES_SHOWN).join(', ');
  const more = syncing.length > NAMES_SHOWN ? ` and ${syncing.length - NAMES_SHOWN} more` : '';
  const counts = `${done} of ${counted(views.length, 'registry', 'registries')} done`;
  const text = [
    failed > 0 ? `${counts}, ${failed} failed` : counts,
    syncing.length > 0 ? `syncing ${shown}${more}` : '',
  ]
    .filter((part) => part !== '')
    .join('; ');
  return { stage: `${done}/${failed}`, text };
}
