import { SynclineError } from '@syncline/contract';
import type { z } from 'zod';

/** Parses a request's body. @throws {SynclineError} `bad-request`, naming each field that is wrong */
export function parseBody<Schema extends z.ZodType>(
  schema: Schema,
  body: unknown,
): z.output<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join('.')}: ${message}`,
  );
  throw new SynclineError('bad-request', `invalid body: ${problems.join('; ')}`);
}
