import { batchesOf } from '@syncline/contract';
import { type ByteLimits, overQuota } from '@syncline/snapshot';
import { type DataFolder, listIfThere, sizeIfThere } from './data-folder.ts';

const BATCH_SIZE = 32;
const KINDS = ['chunks', 'manifests'] as const;

export type Kind = (typeof KINDS)[number];

/** Counts the bytes of stored files. Reads the files of a registry once, because only this process writes them. */
export class FileSizes {
  readonly #folder: DataFolder;
  readonly #pathOf: (registry: string, kind: Kind, digest: string) => string;
  readonly #counts = new Map<string, number>();

  constructor(
    folder: DataFolder,
    pathOf: (registry: string, kind: Kind, digest: string) => string,
  ) {
    this.#folder = folder;
    this.#pathOf = pathOf;
  }

  /** Returns the bytes of these files together. */
  async ofFiles(registry: string, kind: Kind, digests: readonly string[]): Promise<number> {
    let size = 0;
    for (const batch of batchesOf(digests, BATCH_SIZE)) {
      const paths = batch.map((digest) => this.#pathOf(registry, kind, digest));
      for (const bytes of await Promise.all(paths.map(sizeIfThere))) size += bytes;
    }
    return size;
  }

  async ofRegistry(registry: string): Promise<number> {
    const known = this.#counts.get(registry);
    if (known !== undefined) return known;
    let bytes = 0;
    for (const kind of KINDS) {
      const digests = await listIfThere(`${this.#folder.ofRegistry(registry)}/${kind}`);
      bytes += await this.ofFiles(registry, kind, digests);
    }
    this.#counts.set(registry, bytes);
    return bytes;
  }

  async ofAll(): Promise<{ total: number; registryCount: number }> {
    const names = await listIfThere(this.#folder.registries);
    let total = 0;
    for (const name of names) total += await this.ofRegistry(name);
    return { total, registryCount: names.length };
  }

  /** Counts bytes before they are written. @throws SynclineError if they exceed the limits */
  async add(
    registry: string,
    { added, limits }: { added: number; limits?: ByteLimits | undefined },
  ): Promise<void> {
    const stored = await this.ofRegistry(registry);
    if (limits !== undefined && added > 0) {
      if (stored + added > limits.registry) throw overQuota(registry, 'registry', limits);
      const { total } = await this.ofAll();
      if (total + added > limits.total) throw overQuota(registry, 'total', limits);
    }
    this.#counts.set(registry, stored + added);
  }

  /** Makes the next call read the files of the registry again, because a write has failed. */
  forget(registry: string): void {
    this.#counts.delete(registry);
  }
}
