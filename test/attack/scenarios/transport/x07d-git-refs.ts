import { CODES } from '../../contract.ts';
import { pump, serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

const SERVERS = 8;
const REFS_IN_A_CHUNK = 1_000;

/** Eight git servers list refs without an end. Git processes must count as memory, and must have a limit. */
export const gitRefs: Scenario = {
  id: 'X7d',
  title: 'eight git servers with endless refs',
  upstreams: Object.fromEntries(
    Array.from({ length: SERVERS }, (_, index) => [`refs-${index + 1}`, serveRefs]),
  ),
  registries: ({ urls }) =>
    Object.entries(urls).map(([name, url]) => ({
      name,
      git: { repository: `${url}/registry.git` },
      syncPolicy: { interval: '5s' },
    })),
  cause: {
    run: [CODES.gitFailed, CODES.tooLarge, CODES.timeout, CODES.outOfMemory, CODES.tooSlow],
  },
};

function serveRefs(): Promise<string> {
  return serveHttp((response) => {
    response.setHeader('content-type', 'application/x-git-upload-pack-advertisement');
    response.write(`${packet('# service=git-upload-pack\n')}0000`);
    void pump(response, refs());
  });
}

function* refs(): Generator<string> {
  for (let first = 0; ; first += REFS_IN_A_CHUNK) {
    yield Array.from({ length: REFS_IN_A_CHUNK }, (_, index) => {
      const number = String(first + index);
      const capabilities = first + index === 0 ? '\0agent=hostile' : '';
      return packet(`${number.padStart(40, '0')} refs/heads/branch-${number}${capabilities}\n`);
    }).join('');
  }
}

/** A line of git's protocol: its length in four hexadecimal digits, and the text. */
function packet(text: string): string {
  return `${(text.length + 4).toString(16).padStart(4, '0')}${text}`;
}
