import type { RegistryView } from '@syncline/contract';

/** What there is to tell of a registry, without what changes with each run that changes nothing. */
export function markOf({ status, snapshot, held, control }: RegistryView): string {
  const { phase, errorCode } = status;
  const { suspended, pinned } = control;
  return JSON.stringify([phase, errorCode, snapshot, held?.snapshot, suspended, pinned]);
}
