/** Keys of a ToolHive config that say nothing to us, each with the reason. */
export const IGNORED_KEYS: Readonly<Record<string, string>> = {
  audit: 'does not apply: there is no audit log',
  auth: 'does not apply: reading is open, and control needs the admin token',
  claims: 'does not apply: whoever reaches the api may read everything',
  database: 'does not apply: everything is kept in Redis',
  format: 'does not apply: the format of a registry is detected',
  registryName: 'does not apply: a catalog has its name under registries',
  telemetry: 'does not apply: metrics are at /metrics',
};

export const IGNORED_AT_THE_TOP = ['database', 'auth', 'telemetry', 'audit', 'registryName'];
/** `network` is ours: private addresses are refused unless it allows them. */
export const TOP_KEYS = ['sources', 'registries', ...IGNORED_AT_THE_TOP, 'network'];
/** `filter` is ours. */
export const REGISTRY_KEYS = ['name', 'sources', 'claims', 'filter'];
export const IGNORED_IN_A_SOURCE = ['claims', 'format'];

/** What a source can be. The last two are filled by ToolHive itself, and cannot be read from elsewhere. */
export const SOURCE_KINDS = ['git', 'api', 'file', 'managed', 'kubernetes'];
export const UNREADABLE_KINDS = ['managed', 'kubernetes'];
