import { z } from 'zod';
import { uniqueBy } from './names.ts';

const host = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, {
    error: 'expected the name of a host in lower case',
  });

export const networkSchema = z
  .strictObject({
    allow: z
      .array(
        z
          .string()
          .min(1)
          .refine((entry) => isAllowEntry(entry), {
            error: 'expected an address, a range such as 10.0.0.0/8, or the name of a host',
          }),
      )
      .default([])
      .meta({
        description:
          'Private, loopback and link-local targets that may be asked: addresses, ranges, names of hosts. All others of that kind are refused.',
      }),
    userAgent: z
      .string()
      .min(1)
      .regex(/^[\x20-\x7e]+$/, { error: 'expected printable ASCII' })
      .optional()
      .meta({
        description: 'Sent with every request; say who you are and how to reach you.',
        examples: ['acme-syncline (ops@acme.example)'],
      }),
    budgets: z
      .array(
        z
          .strictObject({
            host: host.meta({ description: 'The host that the budget is for.' }),
            requestsPerSecond: z
              .number()
              .min(0.01)
              .max(10_000)
              .optional()
              .meta({ description: 'How many requests may begin in a second.' }),
            concurrency: z
              .int()
              .min(1)
              .max(1_000)
              .optional()
              .meta({ description: 'How many requests may be under way at once.' }),
          })
          .refine((it) => it.requestsPerSecond !== undefined || it.concurrency !== undefined, {
            error: 'expected requestsPerSecond, concurrency or both',
          })
          .meta({ description: 'What one host is asked for at most: one limit, or both.' }),
      )
      .check(
        uniqueBy(
          (budget) => budget.host,
          () => 'expected one budget a host, but this one has several',
          ['host'],
        ),
      )
      .default([])
      .meta({ description: 'How much is asked of a host, by all workers together.' }),
  })
  .meta({ description: 'How Syncline behaves towards others on the network.' });

export type NetworkConfig = z.output<typeof networkSchema>;

const ADDRESS_OR_RANGE = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]);
const HOST_NAME = /^(?=.*[a-z])[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i;

function isAllowEntry(entry: string): boolean {
  return HOST_NAME.test(entry) || ADDRESS_OR_RANGE.safeParse(entry).success;
}
