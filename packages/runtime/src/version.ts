import packageJson from '../package.json' with { type: 'json' };

/** The version of Syncline: all of its packages have the same. */
export const VERSION: string = packageJson.version;
