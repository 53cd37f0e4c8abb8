/** Attackers share a core with the readers. They must not delay them there, because only the fleet is measured. */
export const LESS_THAN_READERS = 10;
