/** Where servers for tests look for git: nothing here reads the environment. */
export const SEARCH_PATH = '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin';
