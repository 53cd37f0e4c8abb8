import { readdirSync, readFileSync } from 'node:fs';

/** The command lines and environments of what runs for a git with this data directory. */
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
