import { resolve } from 'node:path';
import { SynclineError } from '@syncline/contract';

/** The location of a repository, and its transport. */
export type Repository =
  | { readonly transport: 'http' | 'https'; readonly url: URL; readonly shown: string }
  | {
      readonly transport: 'ssh';
      /** The repository argument for git. */
      readonly location: string;
      readonly host: string;
      readonly port: number;
      readonly shown: string;
    }
  | { readonly transport: 'file'; readonly location: string; readonly shown: string };

const SSH_PORT = 22;
/** A host name that git and this process parse in the same way. */
const HOST = /^(?:[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?|\[[0-9a-f:.]+\])$/i;
/** The form `host:path` of scp. The schema of the config checks the rest. */
const SCP_LIKE = /^(?:[^@/:]+@)?([^@/:]{2,}):/;

/**
 * Parses the repository of a config: a URL, `host:path`, or a path.
 *
 * @throws SynclineError `config-invalid` if it has another form
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
  // curl resolves host names without the trailing dot.
  url.hostname = url.hostname.replace(/\.$/, '');
  if (!HOST.test(url.hostname)) throw invalid(text);
  if (url.protocol === 'ssh:') {
    const port = url.port === '' ? SSH_PORT : Number(url.port);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    return { transport: 'ssh', location: text, host, port, shown: text };
  }
  if (!/^https?:$/.test(url.protocol)) throw invalid(text);
  const transport = url.protocol === 'http:' ? 'http' : 'https';
  return { transport, url, shown: `${url.origin}${url.pathname}` };
}

function invalid(text: string): SynclineError {
  const what = `${JSON.stringify(text)} is not a valid repository address`;
  const advice =
    'Set git.repository to an https, http, ssh or file URL, to host:path, or to a local path';
  return new SynclineError('config-invalid', `${what}. ${advice}`);
}
