import { existsSync } from 'node:fs';
import path from 'node:path';

/** The directory of the project's root `package.json`. */
export const projectRoot = path.resolve(import.meta.dirname, '../..');

/** Returns the Node that the project is installed with. Another one may run the tests. */
export function nodeBinary(): string {
  const installed = path.join(projectRoot, 'node_modules/.bin/node');
  return existsSync(installed) ? installed : process.execPath;
}
