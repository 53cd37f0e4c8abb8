import { userInfo } from 'node:os';
import type { RegistryConfig } from '@syncline/contract';
import type { Command } from 'commander';
import { addExamples } from '../examples.ts';
import { shortDigest } from '../format/text.ts';
import { print, printJson } from '../output.ts';
import { type Store, withOperations } from '../store.ts';

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
    .description('keep serving a registry, and stop syncing it')
    .argument('<registry>')
    .option('--note <text>', 'the reason, shown in its status')
    .option('--author <name>', 'who suspends it (default: the current user)')
    .option('--json', 'print the registry, as GET /v1/registries/{name} does')
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
    .description('lift a suspension or a rollback’s pin, and sync the registry')
    .argument('<registry>')
    .option('--json', 'print the registry, as GET /v1/registries/{name} does')
    .action((registry: string, { json }: JsonOption) =>
      withOperations(program, registry, async (operations, config, store) => {
        await operations.resume(config);
        await printControlled({ store, config, json, text: 'resumed' });
      }),
    );
  addExamples(command, ['syncline resume official']);
}

export function addApprove(program: Command): void {
  const command = program
    .command('approve')
    .description('publish the snapshot that the guard holds')
    .argument('<registry>')
    .argument('<snapshot>', 'its digest or the first characters of it, as in status')
    .option('--json', 'print the snapshot, as POST /v1/registries/{name}/approve does')
    .action((registry: string, snapshot: string, { json }: JsonOption) =>
      withOperations(program, registry, async (operations, { name }) => {
        const approved = await operations.approve(name, { snapshot });
        if (json === true) printJson(approved);
        else print(`${name}: published ${shortDigest(approved.snapshot)}`);
      }),
    );
  addExamples(command, ['syncline approve official 0f3ac2d51b77']);
}

export function addRollback(program: Command): void {
  const command = program
    .command('rollback')
    .description('serve an earlier snapshot until resume')
    .argument('<registry>')
    .argument('<snapshot>', 'its digest or the first characters of it, as in runs')
    .option('--json', 'print the snapshot, as POST /v1/registries/{name}/rollback does')
    .action((registry: string, snapshot: string, { json }: JsonOption) =>
      withOperations(program, registry, async (operations, { name }) => {
        const served = await operations.rollback(name, { snapshot });
        if (json === true) printJson(served);
        else print(`${name}: serves ${shortDigest(served.snapshot)} until syncline resume ${name}`);
      }),
    );
  addExamples(command, ['syncline rollback official 0f3ac2d51b77']);
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

/** Undefined if the system does not know the user's name, as often in containers. */
function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}
