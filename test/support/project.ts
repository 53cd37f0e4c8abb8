import { existsSync } from 'node:fs';
import path from 'node:path';

/** The project's root directory. */
export const projectRoot = path.resolve(import.meta.dirname, '../..');

/** Returns the Node that the project installs. The tests may run on another Node. */
export function nodeBinary(): string {
  const installed = path.join(projectRoot, 'node_modules/.bin/node');
  return existsSync(installed) ? installed : process.execPath;
}
