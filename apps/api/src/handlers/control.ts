import { requestAll } from '@syncline/client';
import {
  PREVIEW_SAMPLE_LIMIT,
  previewSampleLimitSchema,
  type RegistryConfig,
  SynclineError,
} from '@syncline/contract';
import { currentConfig, findRegistry, type PreviewTarget } from '@syncline/redis';
import { z } from 'zod';
import type { ApiDependencies } from '../dependencies.ts';
import { type Answer, type ApiRequest, ok, parseBody } from '../http/route.ts';
import { viewRegistry } from '../registries.ts';

const MAX_WAIT_SECONDS = 600;
const DEFAULT_PREVIEW_WAIT_SECONDS = 60;

const waitSchema = z
  .number()
  .positive()
  .max(MAX_WAIT_SECONDS, { error: `use ${MAX_WAIT_SECONDS} seconds or less` });
const forceSchema = z.strictObject({ force: z.boolean().default(false) });
const snapshotSchema = z.strictObject({ snapshot: z.string().min(1).max(128) });

type Act<Body> = (
  dependencies: ApiDependencies,
  registry: RegistryConfig,
  request: Pick<ApiRequest<'name'>, 'signal' | 'whileWaiting'> & { readonly body: Body },
) => Promise<Answer>;

/** Creates a handler that controls one registry. It parses the body before it looks up the registry. */
function control<Body>(schema: z.ZodType<Body>, act: Act<Body>) {
  return async (dependencies: ApiDependencies, request: ApiRequest<'name'>): Promise<Answer> => {
    const body = parseBody(schema, request.body);
    const registry = await findRegistry(dependencies.config, request.params.name);
    return act(dependencies, registry, { ...request, body });
  };
}

/**
 * `POST /v1/registries/{name}/sync`: requests a run. Answers 202 with the number of the request. With `wait`,
 * in seconds, answers 200 with the run that handled the request, if that run ends in time.
 */
export const postSync = control(
  forceSchema.extend({ wait: waitSchema.optional() }),
  async ({ requester }, { name }, { body: { force, wait }, signal, whileWaiting }) => {
    const requested = await requester.requestSync(name, { force });
    const { request } = requested;
    if (wait !== undefined) {
      try {
        const options = { timeoutMs: wait * 1_000, signal };
        const run = await whileWaiting(() => requester.waitForRun(name, request, options));
        if (run !== undefined) return ok(run);
      } catch (error) {
        // The api stops, the client has disconnected, or too many requests wait. A run will handle the request anyway.
        const isOverloaded = error instanceof SynclineError && error.code === 'overloaded';
        if (!signal.aborted && !isOverloaded) throw error;
      }
    }
    const location = `/v1/registries/${name}/requests/${request}`;
    return { status: 202, body: requested, headers: { location } };
  },
);

/**
 * `POST /v1/sync`: requests a run of each registry that neither an operator nor the config has paused.
 * Answers 202 with the numbers of the requests.
 */
export async function postSyncAll(
  dependencies: ApiDependencies,
  { body }: ApiRequest,
): Promise<Answer> {
  const { force } = parseBody(forceSchema, body);
  const { registries } = await currentConfig(dependencies.config);
  const names = registries.map(({ name }) => name);
  return ok(await requestAll(dependencies.requester, names, { force }), { status: 202 });
}

/**
 * `POST /v1/registries/{name}/resume`: ends a suspension and a pin. If the config suspends the registry too,
 * the suspension by the config stays, and the answer is 409.
 */
export const postResume = control(z.strictObject({}), async (dependencies, registry) => {
  await (await dependencies.operations()).resume(registry);
  return ok(await viewRegistry(dependencies, registry));
});

/** `POST /v1/registries/{name}/suspend`: stops syncing the registry. Its copy is still served. */
export const postSuspend = control(
  z.strictObject({ note: z.string().max(500).optional(), author: z.string().max(100).optional() }),
  async (dependencies, registry, { body: { note, author } }) => {
    await (await dependencies.operations()).suspend(registry.name, {
      ...(note === undefined ? {} : { note }),
      ...(author === undefined ? {} : { author }),
    });
    return ok(await viewRegistry(dependencies, registry));
  },
);

/** `POST /v1/registries/{name}/rollback`: serves an earlier snapshot until the registry is resumed. */
export const postRollback = control(snapshotSchema, async ({ operations }, { name }, { body }) =>
  ok(await (await operations()).rollback(name, body)),
);

/** `POST /v1/registries/{name}/approve`: publishes the snapshot that the guard holds. */
export const postApprove = control(snapshotSchema, async ({ operations }, { name }, { body }) =>
  ok(await (await operations()).approve(name, body)),
);

const previewSchema = z.strictObject({
  config: z.looseObject({}).optional(),
  wait: waitSchema.default(DEFAULT_PREVIEW_WAIT_SECONDS),
  samples: previewSampleLimitSchema.default(PREVIEW_SAMPLE_LIMIT),
});

/**
 * `POST /v1/registries/{name}/preview`: returns what a sync would change, without changing anything. With
 * `config`, an entry as under `registries:`, previews a registry with these settings.
 */
export async function postPreview(
  dependencies: ApiDependencies,
  { params, body, signal, whileWaiting }: ApiRequest<'name'>,
): Promise<Answer> {
  const { config, wait, samples } = parseBody(previewSchema, body);
  const target = await targetOf(dependencies, params.name, config);
  try {
    const options = { timeoutMs: wait * 1_000, signal };
    const ask = () => dependencies.previewer.request({ ...target, samples }, options);
    return ok(await whileWaiting(ask));
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new SynclineError('preview-failed', 'the api is stopping. Try again');
  }
}

async function targetOf(
  dependencies: ApiDependencies,
  name: string,
  config: Readonly<Record<string, unknown>> | undefined,
): Promise<PreviewTarget> {
  if (config === undefined) {
    const registry = await findRegistry(dependencies.config, name);
    if (registry.catalog === undefined) return { registry: registry.name };
    throw new SynclineError('unknown-registry', `${name} is a catalog`, {
      expected: `one of its registries: ${registry.catalog.registries.join(', ')}`,
    });
  }
  // Imported on demand, because this module loads the code that reads config files.
  const { readRegistryInput, refuseNewCredentials, refuseNewLocalPaths } = await import(
    '../preview-config.ts'
  );
  const { input, registry } = readRegistryInput(name, config);
  await dependencies.config.refresh();
  refuseNewCredentials(registry, dependencies.config.registry(name));
  refuseNewLocalPaths(registry, dependencies.config.targets());
  return { config: input };
}
