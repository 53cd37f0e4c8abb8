const RFC3339 =
  /^(\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2})(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d{2}:\d{2})$/;

/**
 * Returns a text that sorts like the instant of an RFC 3339 timestamp, to the nanosecond. Returns `undefined` for
 * other texts. Timestamps of the official registry have zero to nine digits after the point.
 */
export function instantKey(timestamp: string): string | undefined {
  const [, second, fraction = '', zone] = RFC3339.exec(timestamp) ?? [];
  const milliseconds = Date.parse(`${second}${zone}`.toUpperCase());
  if (Number.isNaN(milliseconds)) return undefined;
  return `${new Date(milliseconds).toISOString().slice(0, 19)}.${fraction.padEnd(9, '0')}`;
}
