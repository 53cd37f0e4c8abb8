import type { RegistryConfig } from '@syncline/contract';
import { sha256 } from './snapshot/digest.ts';

/** What is read, and how: a change invalidates the revision, since that marks a state of another source. */
export function sourceHash({ file, api }: RegistryConfig): string {
  return sha256(JSON.stringify({ file: file?.path, api: api?.endpoint })).slice(0, 16);
}

/** What is kept of it. */
export function filterHash({ filter }: RegistryConfig): string {
  return sha256(JSON.stringify([filter.names, filter.tags])).slice(0, 16);
}
