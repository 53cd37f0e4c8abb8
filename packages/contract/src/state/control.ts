import { z } from 'zod';

const count = z.coerce.number().int().nonnegative().default(0);
const flag = z
  .enum(['0', '1'])
  .default('0')
  .transform((value) => value === '1');

/** The hash `<prefix>:{registry}:control`: written by operators and requesters, not fenced. */
export const controlSchema = z.object({
  /** Requests made so far; each is a wish that the registry be run after that moment. */
  requested: count,
  /** The last request that a run has answered. */
  handled: count,
  /** Whether an open request asks to fetch even where nothing seems to have changed. */
  force: flag,
  suspended: flag,
  note: z.string().optional(),
  /** Who suspended it, as they said. */
  author: z.string().optional(),
  suspendedAt: z.iso.datetime().optional(),
  /** The manifest that a rollback pinned; nothing else is published until `resume`. */
  pinned: z.string().optional(),
});
export type Control = z.infer<typeof controlSchema>;
