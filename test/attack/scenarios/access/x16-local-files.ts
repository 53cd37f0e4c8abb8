import { stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ADMIN_TOKEN } from '../../contract.ts';
import type { Scenario } from '../../scenario.ts';
import { attempt } from './attempts.ts';

const OPEN_TO_OTHERS = 0o077;

/**
 * A user of the same machine reads the data directory of a worker, and an operator asks previews whether a local
 * file exists. The directory must be private, and a preview must tell nothing about paths outside the config.
 */
export const localFiles: Scenario = {
  id: 'X16',
  title: 'the data directory, and previews of local files',
  cause: {},
  inspect: async ({ fleet, directory }) => {
    const gained: string[] = [];
    const { mode } = await stat(fleet.dataDir);
    if ((mode & OPEN_TO_OTHERS) !== 0) {
      gained.push(`others can open the data directory: its mode is ${(mode & 0o777).toString(8)}`);
    }
    const there = path.join(directory, 'there.json');
    const missing = path.join(directory, 'gone-.json');
    await writeFile(there, '{"servers":[]}');
    const preview = async (file: string) => {
      const { status, text } = await attempt(fleet.apiUrl, {
        method: 'POST',
        path: '/v1/registries/probe/preview',
        headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
        body: { config: { name: 'probe', file: { path: file } }, wait: 30 },
      });
      return `${status} ${text.replaceAll(file, 'FILE').replace(/\d{4}-\d\d-\d\dT[^"]*/g, '')}`;
    };
    if ((await preview(there)) !== (await preview(missing))) {
      gained.push('a preview tells whether a local file exists');
    }
    return gained;
  },
};
