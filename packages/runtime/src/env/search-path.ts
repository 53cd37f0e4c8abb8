/** Where this process looks for programs, for those that it starts with an environment of their own. */
export function searchPath(): string | undefined {
  return process.env['PATH'];
}
