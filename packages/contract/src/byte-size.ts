const UNIT_BYTES: Readonly<Record<string, number>> = {
  KB: 1_000,
  MB: 1_000_000,
  GB: 1_000_000_000,
  KiB: 1_024,
  MiB: 1_048_576,
  GiB: 1_073_741_824,
};

export const BYTE_SIZE = /^\d{1,15}(?:\.\d{1,3})?(?:[KMG]i?B)$/;

/** Parses a size such as `256MiB` or `1.5GB` into bytes. Returns `undefined` if the text is not a size. */
export function parseByteSize(text: string): number | undefined {
  if (!BYTE_SIZE.test(text)) return undefined;
  const [, amount, unit = ''] = /^([\d.]+)(\w+)$/.exec(text) ?? [];
  const bytes = Math.round(Number(amount) * (UNIT_BYTES[unit] ?? Number.NaN));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Formats bytes for people, such as `12.3 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes >= 1_000_000_000) return `${(bytes / 1_000_000_000).toFixed(1)} GB`;
  if (bytes >= 1_000_000) return `${(bytes / 1_000_000).toFixed(1)} MB`;
  return bytes >= 1_000 ? `${(bytes / 1_000).toFixed(1)} KB` : `${bytes} B`;
}
