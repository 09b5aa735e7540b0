/** Half of the card must be seen. */
const SHARE_SEEN = 0.5;
/** The least that browsers allow with `trackVisibility`. */
const DELAY_MS = 100;

/** Second version of the observer, in Chromium: it also knows whether something covers the element. */
type Seen = IntersectionObserverEntry & { readonly isVisible?: boolean };

/**
 * Tells whether the visitor can see this frame: scrolled into view, in the tab at front, and, where the browser can tell,
 * not covered or made transparent by the embedding page. Returns the way to stop watching.
 */
export function watchVisibility(element: Element, changed: (isVisible: boolean) => void): () => void {
  let isSeen = false;
  const tell = (): void => changed(isSeen && document.visibilityState === 'visible');
  const options: IntersectionObserverInit & { trackVisibility: boolean; delay: number } = { threshold: SHARE_SEEN, trackVisibility: true, delay: DELAY_MS };
  const observer = new IntersectionObserver((entries) => {
    const entry = entries.at(-1) as Seen | undefined;
    if (!entry) return;
    // A browser without version 2 has no `isVisible`; one with it can still not see through what the observed frame itself draws.
    isSeen = entry.isVisible ?? entry.isIntersecting;
    tell();
  }, options);
  observer.observe(element);
  document.addEventListener('visibilitychange', tell);
  return () => {
    observer.disconnect();
    document.removeEventListener('visibilitychange', tell);
  };
}
