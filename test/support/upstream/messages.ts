import { z } from 'zod';
import type { UpstreamRow } from './corpus.ts';

const upstreamRowSchema = z.custom<UpstreamRow>(
  (row) =>
    z
      .looseObject({ server: z.looseObject({ name: z.string(), version: z.string() }) })
      .safeParse(row).success,
);

/** Messages from the parent process to an upstream process. */
export const commandSchema = z.object({
  id: z.int(),
  upsert: z.array(upstreamRowSchema),
});
export type Command = z.infer<typeof commandSchema>;

/** Messages from the upstream process to its parent. */
export const reportSchema = z.union([
  z.object({ url: z.string(), rows: z.int() }),
  z.object({ done: z.int() }),
]);
export type Report = z.infer<typeof reportSchema>;
