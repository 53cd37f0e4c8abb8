import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

export interface RunCommandOptions {
  readonly directory: string;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Runs a program until it ends, with this process's environment, and returns its output.
 *
 * @throws if the exit status is not 0, with the complete output
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  { directory, env = {} }: RunCommandOptions,
): Promise<string> {
  const child = spawn(command, args, {
    cwd: directory,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const [printed, errors, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    exited,
  ]);
  if (code === 0) return printed;
  throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${printed}\n${errors}`);
}
