/** How many rows of each kind a preview names at most, and by default. */
export const PREVIEW_SAMPLE_LIMIT = 200;
