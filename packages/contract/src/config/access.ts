import { z } from 'zod';
import { registryNameSchema, uniqueBy } from './names.ts';

/** The name of the token in the file that `SYNCLINE_ADMIN_TOKEN_FILE` names. */
export const ADMIN_TOKEN_NAME = 'admin';

export const roleSchema = z.enum(['read', 'operate'], { error: 'use read or operate' });
/** What a caller may do over HTTP. `operate` includes `read`. */
export type Role = z.output<typeof roleSchema>;

const tokenSchema = z
  .strictObject({
    name: registryNameSchema
      .refine((name) => name !== ADMIN_TOKEN_NAME, {
        error: 'this name belongs to the token in SYNCLINE_ADMIN_TOKEN_FILE. Use another name',
      })
      .meta({ description: 'Who uses the token. The log shows this name, never the token.' }),
    role: roleSchema.meta({
      description:
        '`read`: the state under `/v1`, metrics and the pages of Bull Board. `operate`: control too.',
    }),
    tokenFile: z.string().min(1).meta({
      description:
        'The path of a file with the token: one word of at least 16 characters. Each process that serves HTTP must be able to read this file. You can replace the file at any time.',
    }),
  })
  .meta({ description: 'A bearer token that gives access over HTTP.' });

export const accessSchema = z
  .strictObject({
    tokens: z
      .array(tokenSchema)
      .max(100)
      .check(
        uniqueBy(
          ({ name }) => name,
          ({ name }, first) => `tokens[${first}] has the name ${name} too. Use a unique name`,
          ['name'],
        ),
      )
      .default([])
      .meta({ description: 'Tokens for programs and people, each with a name and a role.' }),
  })
  .meta({ description: 'Who may read the state and control Syncline over HTTP.' });

/** A named token: who uses it, what it permits, and the file that contains it. */
export type TokenConfig = z.output<typeof tokenSchema>;
