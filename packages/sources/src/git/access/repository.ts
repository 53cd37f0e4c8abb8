import { resolve } from 'node:path';
import { SynclineError } from '@syncline/contract';

/** Where a repository is, and how git talks to it. */
export type Repository =
  | { readonly transport: 'http' | 'https'; readonly url: URL; readonly shown: string }
  | {
      readonly transport: 'ssh';
      /** As git takes it. */
      readonly location: string;
      readonly host: string;
      readonly port: number;
      readonly shown: string;
    }
  | { readonly transport: 'file'; readonly location: string; readonly shown: string };

const SSH_PORT = 22;
/** What a host may be made of, so that git and we cannot read two hosts into one text. */
const HOST = /^(?:[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?|\[[0-9a-f:.]+\])$/i;
/** `host:path` of scp; the schema of the config has the whole rule. */
const SCP_LIKE = /^(?:[^@/:]+@)?([^@/:]{2,}):/;

/**
 * Reads a repository as the config has it: a URL, `host:path`, or a path.
 *
 * @throws SynclineError `config-invalid` where it is none of these
 */
export function parseRepository(text: string): Repository {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return parseUrl(text);
  const host = SCP_LIKE.exec(text)?.[1];
  if (host === undefined) return { transport: 'file', location: resolve(text), shown: text };
  if (!HOST.test(host)) throw invalid(text);
  return { transport: 'ssh', location: text, host, port: SSH_PORT, shown: text };
}

function parseUrl(text: string): Repository {
  const url = URL.parse(text);
  if (url === null || /\p{Cc}/u.test(text)) throw invalid(text);
  if (url.protocol === 'file:') return { transport: 'file', location: text, shown: text };
  // The dot of the root is dropped: curl looks up names without it.
  url.hostname = url.hostname.replace(/\.$/, '');
  if (!HOST.test(url.hostname)) throw invalid(text);
  switch (url.protocol) {
    case 'http:':
    case 'https:': {
      const transport = url.protocol === 'http:' ? 'http' : 'https';
      return { transport, url, shown: `${url.origin}${url.pathname}` };
    }
    case 'ssh:': {
      const port = url.port === '' ? SSH_PORT : Number(url.port);
      const host = url.hostname.replace(/^\[|\]$/g, '');
      return { transport: 'ssh', location: text, host, port, shown: text };
    }
    default:
      throw invalid(text);
  }
}

function invalid(text: string): SynclineError {
  return new SynclineError(
    'config-invalid',
    `cannot read ${JSON.stringify(text)} as a repository`,
    {
      expected: 'an https, http, ssh or file URL, host:path, or a path',
    },
  );
}
