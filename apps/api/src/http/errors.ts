import { isStoreUnavailable, SynclineError, toSynclineError } from '@syncline/contract';

/** Returns any error as a SynclineError, also errors of Express, of its parsers and of the store. */
export function toHttpError(error: unknown): SynclineError {
  if (error instanceof SynclineError) return error;
  if (isStoreUnavailable(error)) {
    return new SynclineError('store-unavailable', 'Redis cannot be reached', { cause: error });
  }
  return fromParser(error) ?? toSynclineError(error);
}

/** Errors of `express.json` have a `type`. Errors of the router about a path that cannot be decoded have a `status`. */
function fromParser(error: unknown): SynclineError | undefined {
  if (!(error instanceof Error)) return undefined;
  const type = 'type' in error ? error.type : undefined;
  const status = 'status' in error ? error.status : undefined;
  const options = { cause: error };
  if (type === 'entity.too.large') {
    return new SynclineError('body-too-large', 'the body is too large', options);
  }
  if (type === 'entity.parse.failed') {
    return new SynclineError('bad-request', 'the body is not a JSON object', options);
  }
  if (status === 415) {
    return new SynclineError('unsupported-media-type', 'the body cannot be read', {
      ...options,
      expected: 'plain UTF-8 application/json',
    });
  }
  if (error instanceof URIError) {
    return new SynclineError('bad-request', 'the path has invalid percent-encoding', options);
  }
  if (status === 400) return new SynclineError('bad-request', 'the request is not valid', options);
  return undefined;
}
