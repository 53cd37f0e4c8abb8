import { existsSync } from 'node:fs';
import path from 'node:path';

/** The directory that the project's root `package.json` lies in. */
export const projectRoot = path.resolve(import.meta.dirname, '../..');

/** The Node that the project is installed with, which need not be the one that runs the tests. */
export function nodeBinary(): string {
  const installed = path.join(projectRoot, 'node_modules/.bin/node');
  return existsSync(installed) ? installed : process.execPath;
}
