import type { z } from 'zod';

/**
 * Parses a Redis hash field by field: a field that is not valid counts as absent, so that what someone else
 * has written into one does not hide the others.
 *
 * @returns the value, and the names of the fields that were left out
 * @throws z.ZodError where a field that must be there is not
 */
export function parseHash<Schema extends z.ZodObject>(
  schema: Schema,
  fields: Readonly<Record<string, unknown>>,
): { value: z.output<Schema>; invalid: string[] } {
  const whole = schema.safeParse(fields);
  if (whole.success) return { value: whole.data, invalid: [] };
  const invalid = new Set(whole.error.issues.map(({ path: [field] }) => String(field)));
  const valid = Object.entries(fields).filter(([field]) => !invalid.has(field));
  return { value: schema.parse(Object.fromEntries(valid)), invalid: [...invalid] };
}
