/** Caps, checked before anything of that size is built; the unit is the last word of the name. */
export const imageLimits = {
  /** Of the picture that comes out. What goes in may have half, a third or a quarter of it: at most 48 MiB as RGB. */
  outputEdgePixelsMax: 8192,
} as const;
