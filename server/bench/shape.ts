/** A tile of the coordinator's benchmark: a result of 76 bytes. Both processes know it. */
export const ELEMENTS = 3;
export const WORDS = 4;
