import { z } from 'zod';

/** What an error code means for programs and for people. */
export interface ErrorPolicy {
  /** The HTTP status of an answer with this error. */
  readonly status: number;
  /** Whether the same call may succeed if it is repeated within seconds. */
  readonly retry: boolean;
  /**
   * Who can fix it: the `caller` of the api or the CLI; the author of the `config` or of the environment of a process;
   * the operator of the `upstream`, or the author of its entry in the config; the operator of the `store`. `ours` is a
   * fault of Syncline or of its machine. `none` is a state that is not a fault.
   */
  readonly fault: 'caller' | 'config' | 'upstream' | 'store' | 'ours' | 'none';
  /** What to do, for people. */
  readonly advice: string;
  /** When to try again, unless the error itself says so. Milliseconds. */
  readonly retryAfterMs?: number;
}

/** Policies of errors that end a run. No request ends with one of them: 500 is for what must not happen. */
const ofSource = (advice: string): ErrorPolicy => ({
  status: 500,
  retry: false,
  fault: 'upstream',
  advice,
});
const ofPassingSource = (advice: string): ErrorPolicy => ({ ...ofSource(advice), retry: true });
const ours = (advice: string): ErrorPolicy => ({
  status: 500,
  retry: false,
  fault: 'ours',
  advice,
});
const ofCaller = (status: number, advice: string): ErrorPolicy => ({
  status,
  retry: false,
  fault: 'caller',
  advice,
});

const CHECK_NAME = 'Check the name.';
const CHECK_FILE = 'Check that it is the right file.';

const POLICIES = {
  // config
  'config-unreadable': {
    status: 503,
    retry: true,
    fault: 'config',
    advice: 'Check the path of the config file, and that a scheduler runs.',
  },
  'config-invalid': {
    status: 500,
    retry: false,
    fault: 'config',
    advice: 'Fix each problem at the place that the message names.',
  },
  // source
  'source-file-missing': ofSource(
    'Put the file on every worker; paths count from the config file.',
  ),
  'source-file-unreadable': ofSource('Make the file readable for the user of the worker.'),
  'source-unreachable': ofPassingSource('Check the name, the network and the certificate.'),
  'source-http-status': ofPassingSource('For 401 and 403 check the credential, else the endpoint.'),
  'source-rate-limited': ofPassingSource('Set a longer interval, or raise the budget of the host.'),
  'source-timeout': ofPassingSource('Raise the timeout, or ask the operator of the upstream.'),
  'source-too-large': ofSource(CHECK_FILE),
  'source-not-json': ofSource('Check that the endpoint serves a registry.'),
  'source-not-a-registry': ofSource('Check that the endpoint serves a registry.'),
  'source-cursor-repeated': ofSource('Report to the upstream that its pages go in a circle.'),
  'source-too-deep': ofSource(CHECK_FILE),
  'source-address-refused': ofSource('Add the address to network.allow to permit it.'),
  'source-redirect-refused': ofSource('Put the final URL into the config.'),
  'source-credential-unreadable': ofSource(
    'Put the credential file on every worker, readable for it.',
  ),
  'source-git-failed': ofSource('Read the last words of git in the message.'),
  'source-ref-missing': ofSource('Check whether the branch, tag or commit was renamed or removed.'),
  'source-path-missing': ofSource('Check the path within the repository.'),
  'source-path-refused': ofSource('Name the target of the link instead.'),
  // run
  'run-timeout': ours('Raise syncPolicy.timeout; if the run hangs, restart the worker.'),
  'run-crashed': ours('Find out why the worker keeps crashing.'),
  'run-out-of-memory': ours(CHECK_FILE),
  'lease-lost': ours('If it happens often, check whether a machine or its disk is overloaded.'),
  'snapshot-corrupt': ours('Sync with force, and find out what changes keys in Redis.'),
  'snapshot-incomplete': ours('Sync with force, and find out what deletes keys in Redis.'),
  // asked of us
  'unknown-registry': ofCaller(404, CHECK_NAME),
  'unknown-catalog': ofCaller(404, CHECK_NAME),
  'unknown-run': ofCaller(404, 'Check the id; old runs are forgotten.'),
  'unknown-request': ofCaller(404, 'Check the number of the request.'),
  'unknown-snapshot': ofCaller(404, 'Check the digest; old snapshots are removed.'),
  'unknown-route': ofCaller(404, 'Check the path in openapi.yaml.'),
  'server-not-found': ofCaller(404, CHECK_NAME),
  'bad-request': ofCaller(400, 'Correct what the message names.'),
  'body-too-large': ofCaller(413, 'Send a smaller body.'),
  'unsupported-media-type': ofCaller(415, 'Send application/json.'),
  'registry-suspended': ofCaller(409, 'Resume the registry first.'),
  'registry-busy': { ...ofCaller(409, 'Try again when the run has ended.'), retry: true },
  'suspended-by-config': ofCaller(409, 'Remove suspended from the registry in the config.'),
  unauthorized: ofCaller(401, 'Send the admin token as a bearer token.'),
  'control-disabled': ofCaller(
    403,
    'Set SYNCLINE_ADMIN_TOKEN_FILE, or set HOST to a loopback address.',
  ),
  'cross-origin-refused': ofCaller(403, 'Call the api from its own origin, or with a token.'),
  // around us
  'catalog-not-ready': {
    status: 503,
    retry: true,
    fault: 'none',
    advice: 'Wait; if it takes long, read the status of the registries of the catalog.',
    // A first sync takes seconds, unless it fails. Then its status says why.
    retryAfterMs: 5_000,
  },
  'preview-failed': {
    status: 502,
    retry: true,
    fault: 'upstream',
    advice: 'Follow the code in the message, or check that a worker runs.',
  },
  'store-unavailable': {
    status: 503,
    retry: true,
    fault: 'store',
    advice: 'Restore Redis; all processes then go on by themselves.',
    // A Redis that restarts takes seconds.
    retryAfterMs: 2_000,
  },
  'store-corrupt': {
    status: 500,
    retry: false,
    fault: 'store',
    advice: 'Find out what wrote the key, delete it, and sync with force.',
  },
  internal: ours('Report the bug, with the log.'),
} as const satisfies Readonly<Record<string, ErrorPolicy>>;

/** Stable codes: for programs to switch on, for metrics as a label, for people to search for. */
export type ErrorCode = keyof typeof POLICIES;

/** The one table of error codes: HTTP statuses, retries, exit statuses and the documentation come from it. */
export const ERRORS: Readonly<Record<ErrorCode, ErrorPolicy>> = POLICIES;

// The keys of an object literal are those of its type.
export const errorCodeSchema = z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]);
