import { readdirSync, readFileSync } from 'node:fs';

/**
 * Returns the command lines and environments of all processes that a git with this data directory
 * has started.
 */
export function processesOf(dataDir: string): string {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const texts = pids.map((pid) => `${read(pid, 'cmdline')}\n${read(pid, 'environ')}\n`);
  return texts.filter((text) => text.includes(`HOME=${dataDir}/`)).join('');
}

function read(pid: string, what: string): string {
  try {
    return readFileSync(`/proc/${pid}/${what}`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
