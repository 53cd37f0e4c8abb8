import packageJson from '../package.json' with { type: 'json' };

/** The version of Syncline, which all its packages share. */
export const VERSION: string = packageJson.version;
