/**
 * The directories where test servers look for git, because these modules do not read the
 * environment.
 */
export const SEARCH_PATH = '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin';
