import { isStoreUnavailable, SynclineError, toSynclineError } from '@syncline/contract';

/** Converts any error to a SynclineError, including errors of Express, its parsers and the store. */
export function toHttpError(error: unknown): SynclineError {
  if (error instanceof SynclineError) return error;
  if (isStoreUnavailable(error)) {
    return new SynclineError('store-unavailable', 'Redis cannot be reached', { cause: error });
  }
  return fromParser(error) ?? toSynclineError(error);
}

/** Errors of `express.json` have a `type`. If a path cannot be decoded, the router's error has a `status`. */
function fromParser(error: unknown): SynclineError | undefined {
  if (!(error instanceof Error)) return undefined;
  const type = 'type' in error ? error.type : undefined;
  const status = 'status' in error ? error.status : undefined;
  const options = { cause: error };
  if (type === 'entity.too.large') {
    return new SynclineError(
      'body-too-large',
      'the body is too large. Send a smaller body',
      options,
    );
  }
  if (type === 'entity.parse.failed') {
    return new SynclineError('bad-request', 'the body is not JSON. Send a JSON object', options);
  }
  if (status === 415) {
    const message = 'the encoding of the body is not supported. Send plain UTF-8 application/json';
    return new SynclineError('unsupported-media-type', message, options);
  }
  if (error instanceof URIError) {
    return new SynclineError(
      'bad-request',
      'the path has invalid percent-encoding. Put two hexadecimal digits after each %',
      options,
    );
  }
  // Parsers and the router have more errors with the status of a caller's fault.
  if (typeof status === 'number' && status >= 400 && status < 500)
    return new SynclineError('bad-request', 'the request is not valid HTTP. Correct it', options);
  return undefined;
}
