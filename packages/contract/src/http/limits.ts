/** The default and the maximum of rows that a preview names for each kind of change. */
export const PREVIEW_SAMPLE_LIMIT = 200;
