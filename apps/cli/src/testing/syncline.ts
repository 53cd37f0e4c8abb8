import {
  type Exit,
  type Lifetime,
  PROGRAMS,
  type ProcessHandle,
  startProcess,
} from '@syncline/test/support';

export interface SynclineOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly directory?: string;
  readonly lifetime?: Lifetime;
}

/** Starts `syncline` with arguments and with its own environment. */
export function startSyncline(
  args: readonly string[],
  options: SynclineOptions = {},
): Promise<ProcessHandle> {
  const name = `syncline ${args.join(' ')}`;
  return startProcess({ name, entry: PROGRAMS.cli, args, ...options });
}

export interface Ended {
  readonly code: Exit['code'];
  /** All lines of standard output and standard error. */
  readonly text: string;
}

/** Runs `syncline` until it ends. */
export async function syncline(
  args: readonly string[],
  options: SynclineOptions = {},
): Promise<Ended> {
  const started = await startSyncline(args, options);
  const { code } = await started.exited;
  return { code, text: started.output.lines.join('\n') };
}

export interface EndedApart {
  readonly code: Exit['code'];
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `syncline` until it ends. Returns standard output and standard error separately. */
export async function synclineApart(
  args: readonly string[],
  options: SynclineOptions = {},
): Promise<EndedApart> {
  const started = await startSyncline(args, options);
  const { code } = await started.exited;
  const { stdout, stderr } = started.output;
  return { code, stdout: stdout.join('\n'), stderr: stderr.join('\n') };
}
