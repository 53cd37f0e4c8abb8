import { SynclineError } from '@syncline/contract';
import { GitFailure } from './git-process.ts';

const MAX_DETAIL_LENGTH = 400;
const NOISE = /^(hint:|and the repository exists|please make sure)/i;

interface Verdict {
  readonly code: SynclineError['code'];
  readonly status?: number;
  /** The advice for the operator. */
  readonly advice?: string;
}

/** The meaning of git's messages. The first matching pattern applies. */
const VERDICTS: readonly (readonly [pattern: RegExp, verdict: Verdict])[] = [
  [
    /couldn't find remote ref|remote ref \S+ not found|not our ref|no such remote ref/i,
    { code: 'source-ref-missing' },
  ],
  [
    /Authentication failed|could not read (Username|Password)|terminal prompts disabled/i,
    {
      code: 'source-http-status',
      status: 401,
      advice: 'Check the user and the password of git.auth',
    },
  ],
  [
    /url base from redirection|returned error: 3\d\d|code 3\d\d/i,
    {
      code: 'source-redirect-refused',
      advice: 'Set git.repository to the final URL of the redirect',
    },
  ],
  [/returned error: 429/, { code: 'source-rate-limited', status: 429 }],
  [/^fatal: repository '[^']*' not found/im, { code: 'source-http-status', status: 404 }],
  [
    /Host key verification failed|no \S+ host key is known|REMOTE HOST IDENTIFICATION HAS CHANGED/i,
    { code: 'source-git-failed', advice: 'Add the host key of the server to the known hosts file' },
  ],
  [
    /UNPROTECTED PRIVATE KEY|bad permissions|error in libcrypto|invalid format/i,
    {
      code: 'source-credential-unreadable',
      advice: 'Use a private key without a passphrase, and let only its owner read the key file',
    },
  ],
  [
    /Permission denied \(|Too many authentication failures/i,
    { code: 'source-git-failed', advice: 'Use a key that the server accepts' },
  ],
  [
    /(?:does not appear to be|not) a git repository|no such file or directory/i,
    { code: 'source-unreachable', advice: 'Check git.repository' },
  ],
  [
    /could not resolve host|failed to connect|couldn't connect|connect to host|connection (?:was )?(?:refused|reset|closed|timed out)|empty reply|unreachable|no route to host|timed out|recv failure|ssl|tls|certificate|early eof|hung up|too slow|unexpected disconnect/i,
    { code: 'source-unreachable' },
  ],
];

/**
 * Turns a failure of git into an error with advice for the operator. Returns other errors unchanged.
 *
 * @param context `shown` is the repository without credentials; `wanted` is a ref in words, such as
 *   `branch main`
 */
export function explainFailure(
  error: unknown,
  context: { shown: string; wanted: string; secrets: readonly string[] },
): unknown {
  if (!(error instanceof GitFailure)) return error;
  const { shown, wanted } = context;
  const detail = detailOf(error.stderr, context.secrets);
  const { code, status, advice } = verdictOn(error.stderr) ?? { code: 'source-git-failed' };
  const what = `${error.message} for ${shown}${detail === '' ? '' : `: ${detail}`}`;
  const message = code === 'source-ref-missing' ? `${shown} has no ${wanted}` : what;
  // The new error has no `cause`, because logs would show git's unfiltered text.
  return new SynclineError(code, advice === undefined ? message : `${message}. ${advice}`, {
    ...(status !== undefined && { status }),
  });
}

/** Returns whether git failed for an unknown reason, or for a reason that concerns `directory`. */
export function isUnexplained(error: unknown, directory: string): boolean {
  if (!(error instanceof GitFailure)) return false;
  return verdictOn(error.stderr) === undefined || error.stderr.includes(directory);
}

function verdictOn(stderr: string): Verdict | undefined {
  const status = Number(/returned error: ([45]\d\d)/.exec(stderr)?.[1]);
  const found = VERDICTS.find(([pattern]) => pattern.test(stderr))?.[1];
  if (Number.isNaN(status) || found?.status !== undefined) return found;
  return { code: 'source-http-status', status };
}

/**
 * Returns the useful lines of git's text as one line, without secrets. A server that knows a secret could
 * send it back in any encoding. So if there are secrets, this function removes the lines that the server
 * wrote.
 */
function detailOf(stderr: string, secrets: readonly string[]): string {
  const lines = withoutSecrets(stderr, secrets)
    .split('\n')
    .filter((line) => secrets.length === 0 || !line.startsWith('remote:'))
    .map((line) => line.replace(/^(fatal|error|remote|warning): /, '').trim())
    .filter((line) => line !== '' && !NOISE.test(line));
  return printable(lines.join('; ')).slice(0, MAX_DETAIL_LENGTH);
}

function withoutSecrets(text: string, secrets: readonly string[]): string {
  const known = secrets
    .filter((secret) => secret !== '')
    .reduce((shown, secret) => shown.replaceAll(secret, '…'), text);
  return known.replaceAll(/\/\/[^/\s@]+@/g, '//…@');
}

/** Returns a text without the characters that a terminal or a log might interpret. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\ufffd');
}
