import packageJson from '../package.json' with { type: 'json' };

/** The version of Syncline. All its packages have the same version. */
export const VERSION: string = packageJson.version;
