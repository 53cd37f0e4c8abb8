/**
 * A shorter credential does not protect anything, and ordinary rows contain it by chance. Syncline skips a row with a
 * credential, so a match by chance costs more here than in an error message.
 */
const LEAST_LENGTH = 8;

/**
 * Returns a function that finds credentials in the JSON of a row: as they are, percent-encoded, or in base64. An upstream
 * may repeat a request, for example in an error text that becomes a description. This is no protection from an upstream
 * that hides a credential on purpose, because that upstream could publish the credential itself.
 */
export function createSecretFinder(secrets: readonly string[]): (json: string) => boolean {
  const long = secrets.flatMap(partsOf).filter(({ length }) => length >= LEAST_LENGTH);
  const forms = [...new Set(long.flatMap(formsOf))];
  // Each form is one fast search of the row. A regular expression of all forms is slower.
  return (json) => forms.some((form) => json.includes(form));
}

/** Returns a credential, and its parts if it is the value of an `Authorization` header. */
function partsOf(secret: string): string[] {
  const [, scheme, value] = /^([A-Za-z]+) +(.+)$/.exec(secret) ?? [];
  if (scheme === undefined || value === undefined) return [secret];
  if (scheme.toLowerCase() !== 'basic') return [secret, value];
  const login = Buffer.from(value, 'base64').toString();
  return [secret, value, login, login.slice(login.indexOf(':') + 1)];
}

function formsOf(secret: string): string[] {
  const encoded = encodeURIComponent(secret);
  const lowerCase = encoded.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase());
  const bytes = Buffer.from(secret);
  // The last group of base64 depends on the bytes that follow.
  const whole = bytes.subarray(0, bytes.length - (bytes.length % 3));
  const texts = [secret, encoded, lowerCase, whole.toString('base64'), whole.toString('base64url')];
  return texts.map((text) => JSON.stringify(text).slice(1, -1));
}
