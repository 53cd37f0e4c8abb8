import { execFileSync } from 'node:child_process';
import { nodeBinary, projectRoot } from './project.ts';

/** Bundles the programs, so that the processes of the tests are made from the sources as they are. */
export default function setup(): void {
  execFileSync(nodeBinary(), ['infra/build.mjs'], { cwd: projectRoot, stdio: 'inherit' });
}
