export { Git, type GitOptions } from './git.ts';
export { GitSource } from './git-source.ts';
