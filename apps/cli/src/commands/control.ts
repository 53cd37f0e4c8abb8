import { userInfo } from 'node:os';
import type { RegistryConfig } from '@syncline/contract';
import type { Command } from 'commander';
import { addExamples } from '../examples.ts';
import { shortDigest } from '../format/text.ts';
import type { Store } from '../open-store.ts';
import { print, printJson } from '../output.ts';
import { withOperations } from '../store.ts';

interface JsonOption {
  readonly json?: true | undefined;
}

interface SuspendOptions extends JsonOption {
  readonly note?: string;
  readonly author?: string;
}

export function addSuspend(program: Command): void {
  const command = program
    .command('suspend')
    .description('stop syncing a registry, but continue to serve its stored copy')
    .argument('<registry>')
    .option('--note <text>', 'the reason, which the status of the registry shows')
    .option('--author <name>', 'the person who suspends the registry (default: the current user)')
    .option('--json', 'print JSON as returned by GET /v1/registries/{name}')
    .action((registry: string, { json, author = userName(), ...options }: SuspendOptions) =>
      withOperations(program, registry, async (operations, config, store) => {
        const said = { ...options, ...(author === undefined ? {} : { author }) };
        await operations.suspend(config.name, said);
        await printControlled({ store, config, json, text: 'suspended' });
      }),
    );
  addExamples(command, ['syncline suspend official --note "upstream is moving" --author ada']);
}

export function addResume(program: Command): void {
  const command = program
    .command('resume')
    .description('remove the suspension or the pin of a registry, and sync the registry')
    .argument('<registry>')
    .option('--json', 'print JSON as returned by GET /v1/registries/{name}')
    .action((registry: string, { json }: JsonOption) =>
      withOperations(program, registry, async (operations, config, store) => {
        await operations.resume(config);
        await printControlled({ store, config, json, text: 'resumed' });
      }),
    );
  addExamples(command, ['syncline resume official']);
}

export const addApprove = snapshotCommand({
  name: 'approve',
  description: 'publish a snapshot that the guard holds',
  shownIn: 'status',
  text: (name, digest) => `${name}: published ${digest}`,
});

export const addRollback = snapshotCommand({
  name: 'rollback',
  description: 'serve an earlier snapshot until you resume the registry',
  shownIn: 'runs',
  text: (name, digest) => `${name}: serves ${digest} until syncline resume ${name}`,
});

interface SnapshotCommand {
  readonly name: 'approve' | 'rollback';
  readonly description: string;
  /** The command that shows the available digests. */
  readonly shownIn: string;
  readonly text: (registry: string, digest: string) => string;
}

function snapshotCommand({ name: act, description, shownIn, text }: SnapshotCommand) {
  return (program: Command): void => {
    const command = program
      .command(act)
      .description(description)
      .argument('<registry>')
      .argument(
        '<snapshot>',
        `the digest of the snapshot, or its first characters, as in ${shownIn}`,
      )
      .option('--json', `print JSON as returned by POST /v1/registries/{name}/${act}`)
      .action((registry: string, snapshot: string, { json }: JsonOption) =>
        withOperations(program, registry, async (operations, { name }) => {
          const served = await operations[act](name, { snapshot });
          if (json === true) printJson(served);
          else print(text(name, shortDigest(served.snapshot)));
        }),
      );
    addExamples(command, [`syncline ${act} official 0f3ac2d51b77`]);
  };
}

interface Controlled extends JsonOption {
  readonly store: Store;
  readonly config: RegistryConfig;
  readonly text: string;
}

async function printControlled({ store, config, json, text }: Controlled): Promise<void> {
  if (json === true) printJson((await store.view([config])).views[0]);
  else print(`${config.name}: ${text}`);
}

/**
 * Returns the name of the current user, or `undefined` if the system does not know it, as often in
 * containers.
 */
function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}
