import { SynclineError, type SynclineErrorOptions } from '@syncline/contract';
import { GitFailure } from './git-process.ts';

export interface FailureContext {
  /** The repository, as it may be shown. */
  readonly shown: string;
  /** What was asked for: `branch main`. */
  readonly wanted: string;
  readonly secrets: readonly string[];
}

const MAX_DETAIL_LENGTH = 400;
const NOISE = /^(hint:|and the repository exists|please make sure)/i;
const UNEXPLAINED = { code: 'source-git-failed' } as const;

type Verdict = Pick<SynclineErrorOptions, 'expected' | 'status'> & {
  readonly code: ConstructorParameters<typeof SynclineError>[0];
};

/** What git says, in English, and what that means for us. The first that fits counts. */
const VERDICTS: readonly (readonly [pattern: RegExp, verdict: Verdict])[] = [
  [/couldn't find remote ref|remote ref \S+ not found/i, { code: 'source-ref-missing' }],
  [/not our ref|no such remote ref/i, { code: 'source-ref-missing' }],
  [
    /Authentication failed|could not read (Username|Password)|terminal prompts disabled/i,
    { code: 'source-http-status', status: 401, expected: 'a user and a password that it accepts' },
  ],
  [
    /url base from redirection|returned error: 3\d\d|code 3\d\d/i,
    { code: 'source-redirect-refused', expected: 'the URL that it redirects to, in the config' },
  ],
  [/returned error: 429/, { code: 'source-rate-limited', status: 429 }],
  [/^fatal: repository '[^']*' not found/im, { code: 'source-http-status', status: 404 }],
  [
    /Host key verification failed|no \S+ host key is known|REMOTE HOST IDENTIFICATION HAS CHANGED/i,
    { code: 'source-git-failed', expected: 'a host key that the known hosts have' },
  ],
  [
    /UNPROTECTED PRIVATE KEY|bad permissions|error in libcrypto|invalid format/i,
    {
      code: 'source-credential-unreadable',
      expected: 'a private key without a passphrase, which only its owner may read',
    },
  ],
  [
    /Permission denied \(|Too many authentication failures/i,
    { code: 'source-git-failed', expected: 'a key that the server accepts' },
  ],
  [
    /(?:does not appear to be|not) a git repository|no such file or directory/i,
    { code: 'source-unreachable', expected: 'a repository there' },
  ],
  [
    /could not resolve host|failed to connect|couldn't connect|connect to host|connection (?:was )?(?:refused|reset|closed|timed out)|empty reply|unreachable|no route to host|timed out|recv failure|ssl|tls|certificate|early eof|hung up|too slow|unexpected disconnect/i,
    { code: 'source-unreachable' },
  ],
];

/** Makes of a failure of git's the error that says what an operator can do about it; others stay as they are. */
export function explainFailure(error: unknown, context: FailureContext): unknown {
  if (!(error instanceof GitFailure)) return error;
  const { shown, wanted } = context;
  const detail = detailOf(error.stderr, context.secrets);
  const { code, ...options } = verdictOn(error.stderr) ?? UNEXPLAINED;
  const message =
    code === 'source-ref-missing'
      ? `${shown} has no ${wanted}`
      : `${error.message} for ${shown}${detail === '' ? '' : `: ${detail}`}`;
  // Without its cause: what git has said is shown nowhere as it is.
  return new SynclineError(code, message, options);
}

/** Whether git has failed for a reason that is not known, or that has to do with a directory of ours. */
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
 * The lines that say something, in one, without what must not be shown. What the server says itself is
 * left out where it has been told a secret: it could say that back in any form.
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

/** A text without what a terminal or a log might take for more than text. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\ufffd');
}
