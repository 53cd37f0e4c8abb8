import { SynclineError, toSynclineError } from '@syncline/contract';
import type { Source } from '../source.ts';

/** Stands where a credential would. */
const WITHHELD = '[withheld]';
/** Shorter ones keep nobody out, and stand in any text. */
const LEAST_CREDENTIAL_LENGTH = 4;

/** The text without any of the credentials: an upstream may send back what it was sent. */
export function withhold(text: string, credentials: ReadonlySet<string>): string {
  let safe = text;
  for (const credential of credentials) {
    if (credential.length < LEAST_CREDENTIAL_LENGTH) continue;
    safe = safe.replaceAll(credential, WITHHELD);
  }
  return safe;
}

/** The same source, whose errors never carry a credential that its run has read. */
export function withholdingCredentials(source: Source): Source {
  return {
    givesDeltas: source.givesDeltas ?? false,
    probe: (known, context) => withholdOnError(context.credentials, source.probe(known, context)),
    fetch: (take, context, options) =>
      withholdOnError(context.credentials, source.fetch(take, context, options)),
  };
}

async function withholdOnError<Result>(
  credentials: ReadonlySet<string>,
  work: Promise<Result>,
): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    throw isTelling(error, credentials) ? safeError(error, credentials) : error;
  }
}

/** Logs show the whole chain of causes, with their stacks. */
function isTelling(error: unknown, credentials: ReadonlySet<string>): boolean {
  if (!(error instanceof Error) || credentials.size === 0) return false;
  const text = `${error.message}${error.stack ?? ''}`;
  return withhold(text, credentials) !== text || isTelling(error.cause, credentials);
}

function safeError(error: unknown, credentials: ReadonlySet<string>): SynclineError {
  const { code, message, retryAfterMs, status } = toSynclineError(error);
  return new SynclineError(code, withhold(message, credentials), {
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(status === undefined ? {} : { status }),
  });
}
