/** Nearly all of the card must be seen: the badge is at its top, Stop at its bottom. */
const SHARE_SEEN = 0.9;
/** A frame that is smaller cannot show them both. */
const WIDTH_PX_MIN = 240;
const HEIGHT_PX_MIN = 90;
/** The least that browsers allow with `trackVisibility`. */
const DELAY_MS = 100;

type Seen = IntersectionObserverEntry & { readonly isVisible: boolean };

/**
 * Version 2 of the observer (Chromium) also knows whether the embedding page covers the frame, makes it transparent or filters it. Where
 * it is missing nobody can tell from inside a frame what the visitor sees.
 */
export const knowsVisibility = (): boolean => 'isVisible' in IntersectionObserverEntry.prototype;

/**
 * Tells whether the visitor can see this frame: large enough, scrolled into view, in the tab at front, not covered and not transparent.
 * Only where `knowsVisibility`. Returns the way to stop watching.
 */
export function watchVisibility(element: Element, changed: (isVisible: boolean) => void): () => void {
  let isSeen = false;
  const isLargeEnough = (): boolean => innerWidth >= WIDTH_PX_MIN && innerHeight >= HEIGHT_PX_MIN;
  const tell = (): void => changed(isSeen && isLargeEnough() && document.visibilityState === 'visible');
  const options: IntersectionObserverInit & { trackVisibility: boolean; delay: number } = { threshold: SHARE_SEEN, trackVisibility: true, delay: DELAY_MS };
  const observer = new IntersectionObserver((entries) => {
    const entry = entries.at(-1) as Seen | undefined;
    if (!entry) return;
    isSeen = entry.isVisible && entry.intersectionRatio >= SHARE_SEEN;
    tell();
  }, options);
  observer.observe(element);
  document.addEventListener('visibilitychange', tell);
  addEventListener('resize', tell);
  return () => {
    observer.disconnect();
    document.removeEventListener('visibilitychange', tell);
    removeEventListener('resize', tell);
  };
}
