import type { RegistryView } from '@syncline/contract';
import { joined, plain, shortDigest } from './text.ts';

/**
 * Formats what the phase of a registry does not show: what operators, the config and the guard did,
 * and why.
 */
export function remarksOn(view: RegistryView): string {
  const { status, stale } = view;
  const says = status.phase === 'Complete' ? undefined : status.message;
  return joined([
    interventionsOn(view),
    says === undefined ? status.reason : plain(says),
    stale && status.lastSuccessAt !== undefined && 'stale',
  ]);
}

/** Formats what operators, the config and the guard did to a registry. */
export function interventionsOn(view: RegistryView): string {
  return joined([suspension(view), pin(view), holding(view)]);
}

/** Formats a suspension, as in `suspended in the config` or `suspended by ada: moving house`. */
export function suspension({ control }: RegistryView): string | undefined {
  if (control.suspendedBy === null) return undefined;
  if (control.suspendedBy === 'config') return 'suspended in the config';
  const who = control.author === null ? 'suspended' : `suspended by ${plain(control.author)}`;
  return control.note === null ? who : `${who}: ${plain(control.note)}`;
}

/** Formats a pin, as in `pinned to 0f3ac2d51b77`. */
export function pin({ control }: RegistryView): string | undefined {
  return control.pinned === null ? undefined : `pinned to ${shortDigest(control.pinned)}`;
}

/** Formats a held snapshot, as in `the guard holds 0f3ac2d51b77: 0 rows instead of 12`. */
export function holding({ held }: RegistryView): string | undefined {
  if (held === null) return undefined;
  const { snapshot, reason, rowCountBefore, rowCountAfter } = held;
  if (reason === 'empty') return `the guard holds ${shortDigest(snapshot)}, which is empty`;
  return `the guard holds ${shortDigest(snapshot)}: ${rowCountAfter} rows instead of ${rowCountBefore}`;
}
