/** Prints one or more lines on standard output. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Prints a value as JSON on standard output. */
export function printJson(value: unknown): void {
  print(toJson(value, 2));
}

/** Prints a line on standard error, because it is not part of the result. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/**
 * Returns a value as JSON. Escapes characters that control terminals, because texts of upstreams may
 * contain them.
 */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
