import { z } from 'zod';

/** What an error code means for programs and for people. */
export interface ErrorPolicy {
  /** The HTTP status of an answer with this error. */
  readonly status: number;
  /** Whether a repeated call may succeed within seconds. */
  readonly retry: boolean;
  /**
   * Who can fix the error:
   * - `caller`: the caller of the api or the CLI
   * - `config`: the author of the config, or of a process's environment
   * - `upstream`: the operator of the upstream, or the author of its entry in the config
   * - `store`: the operator of the store
   * - `ours`: Syncline or its machine has a fault
   * - `none`: the state is not a fault
   */
  readonly fault: 'caller' | 'config' | 'upstream' | 'store' | 'ours' | 'none';
  /** What to do, for people. */
  readonly advice: string;
  /** Milliseconds to wait before the next attempt, unless the error has its own `retryAfterMs`. */
  readonly retryAfterMs?: number;
}

function policyOf(fault: ErrorPolicy['fault'], status: number, advice: string): ErrorPolicy {
  return { status, retry: false, fault, advice };
}

function withRetry(policy: ErrorPolicy, retryAfterMs?: number): ErrorPolicy {
  return { ...policy, retry: true, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

const ofCaller = (status: number, advice: string) => policyOf('caller', status, advice);
// These errors end a run, and never an HTTP request. Status 500 marks what must not happen.
const ofSource = (advice: string) => policyOf('upstream', 500, advice);
const ofPassingSource = (advice: string) => withRetry(ofSource(advice));
const ours = (advice: string) => policyOf('ours', 500, advice);

const CHECK_NAME = 'Check the spelling of the name.';
const CHECK_FILE =
  'Check that the source is a registry, and that its config names the right file or URL.';

const POLICIES = {
  // config
  'config-unreadable': withRetry(
    policyOf('config', 503, 'Check the path of the config file, and check that a scheduler runs.'),
  ),
  'config-invalid': policyOf(
    'config',
    500,
    'Correct each problem at the place that the message names.',
  ),
  // source
  'source-file-missing': ofSource(
    'Put the file on every machine with a worker. A relative path starts at the folder of the config file.',
  ),
  'source-file-unreadable': ofSource(
    'Give read permission for the file to the system account of the worker.',
  ),
  'source-unreachable': ofPassingSource('Check the host name, the network and the certificate.'),
  'source-http-status': ofPassingSource(
    'For status 401 or 403, check the credential. For 404, check the URL. For another status, ask the operator of the upstream.',
  ),
  'source-rate-limited': ofPassingSource(
    'Set a longer interval, or increase the budget of the host.',
  ),
  'source-timeout': ofPassingSource(
    'Increase the timeout, or ask the operator of the upstream. For a file, check the mount.',
  ),
  'source-too-slow': ofSource(
    'Ask the operator of the upstream. If the message names memory, increase SYNCLINE_MEMORY.',
  ),
  'source-too-large': ofSource(CHECK_FILE),
  'source-too-many-rows': ofSource(CHECK_FILE),
  'source-envelope-too-large': ofSource(CHECK_FILE),
  'source-yaml-too-large': ofSource('Split the file into smaller files, or convert it to JSON.'),
  'source-attachments-too-large': ofSource(CHECK_FILE),
  'source-server-too-large': ofSource(
    'Ask the operator of the upstream to remove old versions, or exclude the server from the source.',
  ),
  'source-not-json': ofSource('Check that the source contains a registry in JSON, or in YAML.'),
  'source-not-a-registry': ofSource(
    'Check that the source contains a registry in a supported format.',
  ),
  'source-cursor-repeated': ofSource('Report this fault to the operator of the upstream.'),
  'source-cursor-too-long': ofSource('Report this fault to the operator of the upstream.'),
  'source-too-deep': ofSource(CHECK_FILE),
  'source-address-refused': ofSource('Add the address to network.allow to permit it.'),
  'source-redirect-refused': ofSource('Set the URL in the config to the final URL.'),
  'source-credential-unreadable': ofSource(
    'Put the credential file on every machine with a worker, and give read permission to the system account of the worker.',
  ),
  'source-credential-refused': ofSource(
    'Move the credential file below a directory in SYNCLINE_CREDENTIAL_DIRS, or add its directory there.',
  ),
  'source-git-failed': ofSource('Read the output of git at the end of the message.'),
  'source-ref-missing': ofSource(
    'Check whether someone renamed or removed the branch, tag or commit.',
  ),
  'source-path-missing': ofSource('Check the path in the repository.'),
  'source-path-refused': ofSource('Set the path to the target of the link.'),
  // run
  'run-timeout': ours('Increase syncPolicy.timeout. If the run hangs, restart the worker.'),
  'run-crashed': ours('Read the logs of the workers to find out why they crash.'),
  'snapshot-too-large': ours(
    'Split the registry into several registries, or ask the operator of the upstream to remove old versions.',
  ),
  'run-out-of-memory': ours(
    'Check that the source is a registry. If it is one, increase SYNCLINE_MEMORY.',
  ),
  'run-cpu-exceeded': ours(CHECK_FILE),
  'lease-lost': ours(
    'If this error occurs often, check whether a machine or its disk is overloaded.',
  ),
  'snapshot-corrupt': ours('Sync with force, and find out which program changes keys in Redis.'),
  'snapshot-incomplete': ours('Sync with force, and find out which program deletes keys in Redis.'),
  // errors in a request
  'unknown-registry': ofCaller(404, CHECK_NAME),
  'unknown-catalog': ofCaller(404, CHECK_NAME),
  'unknown-run': ofCaller(404, 'Check the id. Syncline removes old runs.'),
  'unknown-request': ofCaller(404, 'Check the number of the request.'),
  'unknown-snapshot': ofCaller(404, 'Check the digest. Syncline removes old snapshots.'),
  'unknown-route': ofCaller(404, 'Check the path in openapi.yaml.'),
  'server-not-found': ofCaller(404, CHECK_NAME),
  'bad-request': ofCaller(400, 'Correct the part of the request that the message names.'),
  'body-too-large': ofCaller(413, 'Send a smaller body.'),
  'unsupported-media-type': ofCaller(415, 'Send application/json.'),
  'registry-suspended': ofCaller(409, 'Resume the registry first.'),
  'registry-busy': withRetry(ofCaller(409, 'Try again when the run has ended.')),
  'suspended-by-config': ofCaller(
    409,
    'Remove suspended from the entry of the registry in the config.',
  ),
  unauthorized: ofCaller(401, 'Send a valid token as a bearer token, or sign in at /sign-in.'),
  'too-many-attempts': withRetry(
    ofCaller(429, 'Wait, and then send a valid token. Find out who sends wrong tokens.'),
    60_000,
  ),
  forbidden: ofCaller(403, 'Use a token with the role operate.'),
  'control-disabled': ofCaller(
    403,
    'Set SYNCLINE_ADMIN_TOKEN_FILE, or add a token with the role operate to access.tokens.',
  ),
  'read-disabled': ofCaller(
    403,
    'Set SYNCLINE_ADMIN_TOKEN_FILE, or add a token to access.tokens. Then send the token.',
  ),
  'host-refused': ofCaller(403, 'Add the name to SYNCLINE_HOSTS, or use another name.'),
  'cross-origin-refused': ofCaller(403, 'Call the api from its own origin, or send a token.'),
  // errors of the environment
  // A first sync takes seconds, unless it fails. The status then says why.
  'catalog-not-ready': withRetry(
    policyOf(
      'none',
      503,
      'Wait. If the catalog is still not ready after a few minutes, check the status of its registries.',
    ),
    5_000,
  ),
  // The longest queue is worked off within seconds.
  overloaded: withRetry(
    policyOf(
      'none',
      503,
      'Send fewer requests at once, or add an api process. The metrics show which requests wait.',
    ),
    2_000,
  ),
  'preview-failed': withRetry(
    policyOf('upstream', 502, 'Look up the code in the message, or check that a worker runs.'),
  ),
  // A restart of Redis takes seconds.
  'store-unavailable': withRetry(
    policyOf(
      'store',
      503,
      'Start Redis, or correct the URL of Redis. Running processes then continue automatically.',
    ),
    2_000,
  ),
  'registry-over-quota': policyOf(
    'upstream',
    507,
    'Increase limits.storedBytes of the registry, decrease snapshots, or filter the registry.',
  ),
  'store-over-quota': policyOf(
    'store',
    507,
    'Give Redis more memory, increase SYNCLINE_STORED_BYTES, or decrease limits.storedBytes of large registries.',
  ),
  'store-full': policyOf(
    'store',
    503,
    'Increase maxmemory of Redis, or remove data of other programs. Syncline then continues automatically.',
  ),
  'store-corrupt': policyOf(
    'store',
    500,
    'Delete the key, sync with force, and find out which program wrote the key.',
  ),
  internal: ours('Report this bug and attach the log.'),
} as const satisfies Readonly<Record<string, ErrorPolicy>>;

/** Stable error codes: programs branch on them, metrics use them as labels, and people search for them. */
export type ErrorCode = keyof typeof POLICIES;

/** The only table of error codes. HTTP statuses, retries, exit statuses and the documentation use it. */
export const ERRORS: Readonly<Record<ErrorCode, ErrorPolicy>> = POLICIES;

// Object.keys returns `string[]`, so the cast restores the codes.
export const errorCodeSchema = z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]);
