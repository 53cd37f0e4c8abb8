import type { ConfigInput } from '@syncline/contract';
import type { Lifetime } from '../../support/lifetime.ts';
import { writeRegistryFile } from '../../support/registry-file.ts';
import { generateRows } from '../../support/rows/generate.ts';
import type { OfficialRow } from '../../support/rows/row.ts';
import { startUpstream } from '../../support/upstream.ts';
import { fileRegistries } from '../measure/file-registries.ts';

const QUIET = Array.from({ length: 197 }, (_, index) => `quiet-${index}`);
const CHANGING_FILES = ['changing-1', 'changing-2'];
const API = 'api';
export const CATALOG = 'all-changing';
/** A few chunks. */
const ROW_COUNT = 100;
const INTERVAL = '60s';

/** The registries of a soak: files that stay as they are, and some registries that change. */
export interface SoakRegistries {
  readonly config: ConfigInput;
  readonly all: readonly string[];
  /** The registries that change, without their catalog. */
  readonly changing: readonly string[];
  /** Changes one row of each registry that changes. */
  change(): Promise<void>;
}

export async function soakRegistries(lifetime: Lifetime): Promise<SoakRegistries> {
  const quiet = await fileRegistries({ names: QUIET, interval: INTERVAL, lifetime });
  const syncPolicy = { interval: INTERVAL };
  const files = await Promise.all(
    CHANGING_FILES.map(async (name, index) => {
      const rows = new ChangingRows(index + 1);
      const file = await writeRegistryFile(rows.all, lifetime);
      const change = async () => {
        rows.change();
        await file.replace(rows.all);
      };
      return { config: { name, file: { path: file.path }, syncPolicy }, change };
    }),
  );
  const apiRows = new ChangingRows(0);
  const upstream = await startUpstream({ rows: apiRows.all, recording: false, lifetime });
  const changing = [...CHANGING_FILES, API];
  return {
    config: {
      registries: [
        ...quiet.registries,
        ...files.map(({ config }) => config),
        { name: API, api: { endpoint: upstream.url }, syncPolicy },
      ],
      catalogs: [{ name: CATALOG, registries: changing }],
    },
    all: [...QUIET, ...changing],
    changing,
    change: async () => {
      upstream.upsert([apiRows.change()]);
      await Promise.all(files.map(({ change }) => change()));
    },
  };
}

/** Rows that are changed one after the other, and never grow. */
class ChangingRows {
  readonly all: OfficialRow[];
  #changes = 0;

  constructor(seed: number) {
    this.all = generateRows({ count: ROW_COUNT, seed });
  }

  /** @returns the row that has changed */
  change(): OfficialRow {
    const place = this.#changes % this.all.length;
    const row = this.all[place];
    if (row === undefined) throw new Error('there is no row to change');
    this.#changes += 1;
    const changed = { ...row, server: { ...row.server, description: `state ${this.#changes}` } };
    this.all[place] = changed;
    return changed;
  }
}
