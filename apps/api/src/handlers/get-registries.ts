import type { ApiDependencies } from '../dependencies.ts';
import { type Answer, ok } from '../http/route.ts';
import { currentConfig, viewRegistries } from '../registries.ts';

/** `GET /v1/registries`: all of them, in the order of the config. */
export async function getRegistries(dependencies: ApiDependencies): Promise<Answer> {
  const config = await currentConfig(dependencies);
  return ok({ registries: await viewRegistries(dependencies, config.registries) });
}
