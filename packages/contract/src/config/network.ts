import { z } from 'zod';
import { uniqueBy } from './names.ts';

const host = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, {
    error: 'use a host name in lower case',
  });

export const networkSchema = z
  .strictObject({
    allow: z
      .array(
        z
          .string()
          .min(1)
          .refine((entry) => isAllowEntry(entry), {
            error: 'use an address, a range such as 10.0.0.0/8, or a host name',
          }),
      )
      .default([])
      .meta({
        description:
          'Private, loopback and link-local targets that sources may connect to: addresses, ranges or host names. Syncline blocks all other private targets.',
      }),
    userAgent: z
      .string()
      .min(1)
      .regex(/^[\x20-\x7e]+$/, { error: 'use printable ASCII characters only' })
      .optional()
      .meta({
        description:
          'The `User-Agent` header of every request to a source. State who you are and how to reach you.',
        examples: ['acme-syncline (ops@acme.example)'],
      }),
    budgets: z
      .array(
        z
          .strictObject({
            host: host.meta({ description: 'The host that the budget applies to.' }),
            requestsPerSecond: z
              .number()
              .min(0.01)
              .max(10_000)
              .optional()
              .meta({ description: 'The most requests that may start in one second.' }),
            concurrency: z
              .int()
              .min(1)
              .max(1_000)
              .optional()
              .meta({ description: 'The most requests that may run at the same time.' }),
          })
          .refine((it) => it.requestsPerSecond !== undefined || it.concurrency !== undefined, {
            error: 'set requestsPerSecond, concurrency or both',
          })
          .meta({ description: 'The limits for requests to one host. Set one of them, or both.' }),
      )
      .check(
        uniqueBy(
          (budget) => budget.host,
          () => 'this host has several budgets. Use one budget for each host',
          ['host'],
        ),
      )
      .default([])
      .meta({ description: 'Limits for the requests that all workers together send to a host.' }),
  })
  .meta({ description: 'How Syncline connects to other hosts.' });

export type NetworkConfig = z.output<typeof networkSchema>;

const ADDRESS_OR_RANGE = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]);
const HOST_NAME = /^(?=.*[a-z])[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i;

function isAllowEntry(entry: string): boolean {
  return HOST_NAME.test(entry) || ADDRESS_OR_RANGE.safeParse(entry).success;
}
