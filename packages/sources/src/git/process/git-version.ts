/**
 * The oldest accepted version of Git. It can connect to a fixed address (2.37), and an untrusted repository on this
 * machine can neither run hooks (CVE-2024-32465, CVE-2024-32004) nor link to files outside of it (CVE-2024-32021,
 * CVE-2022-39253, CVE-2023-22490). Debian 12 has 2.39.5.
 */
export const LEAST_GIT_VERSION = '2.39.4';

/** Returns whether the answer to `git --version` names {@link LEAST_GIT_VERSION} or a newer version. */
export function isGitRecent(answer: string): boolean {
  const found = numbersOf(answer);
  const least = numbersOf(LEAST_GIT_VERSION);
  const different = least.findIndex((number, index) => found[index] !== number);
  return found.length > 0 && (different < 0 || (found[different] ?? 0) > (least[different] ?? 0));
}

function numbersOf(text: string): number[] {
  const [, ...numbers] = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text) ?? [];
  return numbers.map((number) => Number(number ?? 0));
}
