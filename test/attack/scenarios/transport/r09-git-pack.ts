import { randomBytes } from 'node:crypto';
import { CODES } from '../../contract.ts';
import { pump, repeated, serveHttp } from '../../hostile/serve.ts';
import type { Scenario } from '../../scenario.ts';

const MB = 1_000_000;
const COMMIT = 'a'.repeat(40);

/** A git server sends a pack without an end. It must not fill the disk or the memory of the worker. */
export const gitPack: Scenario = {
  id: 'R9',
  title: 'a git server with an endless pack',
  upstreams: {
    pack: () => {
      const noise = randomBytes(MB);
      return serveHttp((response, { url = '' }) => {
        if (url.includes('/info/refs')) {
          response.setHeader('content-type', 'application/x-git-upload-pack-advertisement');
          const ref = `${COMMIT} HEAD\0symref=HEAD:refs/heads/main shallow filter allow-reachable-sha1-in-want\n`;
          const refs = packet(ref) + packet(`${COMMIT} refs/heads/main\n`);
          response.end(`${packet('# service=git-upload-pack\n')}0000${refs}0000`);
          return;
        }
        response.setHeader('content-type', 'application/x-git-upload-pack-result');
        // A pack of a billion objects, of which the first is a blob of any length.
        const head = Buffer.from('PACK\0\0\0\x02\x3b\x9a\xca\0', 'latin1');
        response.write(
          Buffer.concat([
            Buffer.from(`${packet(`shallow ${COMMIT}`)}0000${packet('NAK\n')}`),
            head,
          ]),
        );
        void pump(response, repeated(noise));
      });
    },
  },
  registries: ({ urls: { pack } }) => [
    {
      name: 'pack',
      git: { repository: `${pack}/registry.git` },
      syncPolicy: { interval: '5s' },
    },
  ],
  cause: { run: [CODES.gitFailed, CODES.tooLarge, CODES.timeout, CODES.tooSlow] },
};

function packet(text: string): string {
  return `${(text.length + 4).toString(16).padStart(4, '0')}${text}`;
}
