import { execFileSync } from 'node:child_process';
import { nodeBinary, projectRoot } from './project.ts';

/** Bundles the programs, so that the processes in tests run the current sources. */
export default function setup(): void {
  execFileSync(nodeBinary(), ['infra/build.mjs'], { cwd: projectRoot, stdio: 'inherit' });
}
