/** A tile of the coordinator's benchmark: a result of 64 bytes, its header among them. Both processes know it. */
export const ELEMENTS = 3;
export const WORDS = 4;
