/**
 * The limits of rows, bodies and snapshots. Each limit is a few times what we know from real registries, and each
 * refusal has its own error code or its own reason of a quarantined row. `docs/formats.md` lists the limits.
 */

const KIB = 1024;
const MIB = 1024 * KIB;

/** The JSON of a row, in UTF-8 bytes. The largest known real row has 58 KB. */
export const MAX_ROW_BYTES = 256 * KIB;
/** A name, in UTF-8 bytes. The MCP Registry API permits 200 characters. */
export const MAX_NAME_BYTES = 600;
/** A version, in UTF-8 bytes. The MCP Registry API permits 255 characters. */
export const MAX_VERSION_BYTES = 600;
/** The nested levels of a row. The deepest known real row has 10 levels. */
export const MAX_ROW_DEPTH = 200;

/** The rows of a registry. The official registry has about 100,000. */
export const MAX_ROWS = 1_000_000;
/** All versions of a server together, in UTF-8 bytes of JSON, because Syncline processes them together. */
export const MAX_SERVER_BYTES = 8 * MIB;
/** The rows of a snapshot together, in UTF-8 bytes of JSON. The official registry has 150 MB. */
export const MAX_SNAPSHOT_BYTES = 1024 * MIB;
/** All skills, or all plugins, of a registry together, in UTF-8 bytes of JSON. */
export const MAX_ATTACHMENT_BYTES = 32 * MIB;

/** The nested levels of a body. */
export const MAX_BODY_DEPTH = 1_000;
/** The part of a JSON body outside of its rows, in bytes without white space. The keys of a legacy map also count. */
export const MAX_ENVELOPE_BYTES = MIB;
/** A YAML body, in bytes. */
export const MAX_YAML_BYTES = 8 * MIB;
/** The tokens of a YAML body. A key with a short value has seven. */
export const MAX_YAML_TOKENS = 1_000_000;
/** The aliases of a YAML body. */
export const MAX_YAML_ALIASES = 1_000;
/** The copies of an anchored value in a YAML body, because nested anchors grow exponentially. */
export const MAX_YAML_COPIES = 100;
