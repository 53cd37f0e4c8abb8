import { changeStatus, PENDING_STATUS } from '@syncline/contract';
import type { SourceContext } from '../source.ts';
import { testMemory } from './test-memory.ts';

/** Returns the context of a run whose registry has not failed before. */
export function sourceContext(
  changes: { signal?: AbortSignal; consecutiveFailures?: number } = {},
): SourceContext & { readonly reports: readonly string[] } {
  const { signal = new AbortController().signal, consecutiveFailures = 0 } = changes;
  const reports: string[] = [];
  return {
    signal,
    upstream: { requests: 0, bytes: 0 },
    memory: testMemory(),
    credentials: new Set(),
    status: changeStatus(PENDING_STATUS, { consecutiveFailures }),
    report: (message) => void reports.push(message),
    reports,
  };
}
