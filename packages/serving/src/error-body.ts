import { ERRORS, type SynclineError } from '@syncline/contract';

/**
 * The body of every error. The specification of the MCP Registry API requires `error`; the official registry sends the
 * other members. `code` is stable.
 */
export interface ErrorBody {
  readonly error: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
}

/** Returns the body of an error. Shows no details of an internal error; they are only in the log. */
export function errorBody({ code, message }: SynclineError): ErrorBody {
  const { status } = ERRORS[code];
  // An `import` of `node:http` would load the HTTP client behind `fetch`. That takes 70 ms.
  const { STATUS_CODES } = process.getBuiltinModule('node:http');
  const title = STATUS_CODES[status] ?? 'Error';
  const detail = code === 'internal' ? 'something went wrong on our side' : message;
  return { error: detail, title, status, detail, code };
}

/** Returns the headers of an error: `retry-after`, if the time of the next try is known. */
export function errorHeaders({ code, retryAfterMs }: SynclineError): Record<string, string> {
  const waitMs = retryAfterMs ?? ERRORS[code].retryAfterMs;
  return waitMs === undefined ? {} : { 'retry-after': String(Math.ceil(waitMs / 1_000)) };
}
