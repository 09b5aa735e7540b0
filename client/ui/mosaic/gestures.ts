import type { Viewport } from './viewport.svelte.ts';

/** One notch of a wheel, about 100 px, is a step of this much. */
const WHEEL_STEP = 1.25;
const NOTCH_PX = 100;
const LINE_PX = 16;
/** Share of the frame that an arrow key moves by. */
const ARROW = 0.125;

const arrows: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [ARROW, 0],
  ArrowRight: [-ARROW, 0],
  ArrowUp: [0, ARROW],
  ArrowDown: [0, -ARROW],
};

/** Does what a key says; false for keys that say nothing here. */
export function pressed(viewport: Viewport, key: string): boolean {
  const arrow = arrows[key];
  if (arrow) viewport.panBy(...arrow);
  else if (key === '+' || key === '=') viewport.closer();
  else if (key === '-') viewport.farther();
  else if (key === '0') viewport.fit();
  else return false;
  return true;
}

/**
 * Wheel, drag, pinch and keys on the frame of a picture. A page that can be scrolled still can: a whole picture does not take the wheel for going
 * farther away, nor a finger that moves up or down. Returns the way to stop.
 */
export function gestures(frame: HTMLElement, viewport: Viewport): () => void {
  const over = new AbortController();
  const on = <K extends keyof HTMLElementEventMap>(name: K, handle: (event: HTMLElementEventMap[K]) => void): void =>
    frame.addEventListener(name, handle, { signal: over.signal, passive: false });
  const shareOf = ({ clientX, clientY }: { clientX: number; clientY: number }): { x: number; y: number } => {
    const { left, top, width, height } = frame.getBoundingClientRect();
    return { x: (clientX - left) / width, y: (clientY - top) / height };
  };

  on('wheel', (event) => {
    const away = event.deltaY > 0;
    const leavesItToThePage = viewport.isFit && !event.ctrlKey && (away || window.scrollY > 0);
    if (leavesItToThePage) return;
    event.preventDefault();
    const pixels = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * LINE_PX : event.deltaY;
    const { x, y } = shareOf(event);
    // A pinch on a touchpad comes as a wheel with the control key, in small steps.
    viewport.zoomBy(WHEEL_STEP ** (-pixels / (event.ctrlKey ? NOTCH_PX / 8 : NOTCH_PX)), x, y);
  });

  const down = new Map<number, { x: number; y: number }>();
  const apart = (): number => {
    const [a, b] = [...down.values()];
    const { width, height } = frame.getBoundingClientRect();
    return a && b ? Math.hypot((a.x - b.x) * width, (a.y - b.y) * height) : 0;
  };
  on('pointerdown', (event) => {
    if (event.button !== 0) return;
    down.set(event.pointerId, shareOf(event));
    if (!viewport.isFit || down.size > 1) frame.setPointerCapture(event.pointerId);
  });
  on('pointermove', (event) => {
    const before = down.get(event.pointerId);
    if (!before) return;
    const now = shareOf(event);
    const distance = apart();
    down.set(event.pointerId, now);
    viewport.panBy((now.x - before.x) / down.size, (now.y - before.y) / down.size);
    if (down.size !== 2 || distance === 0) return;
    const [a, b] = [...down.values()];
    viewport.zoomBy(apart() / distance, (a!.x + b!.x) / 2, (a!.y + b!.y) / 2);
  });
  const up = (event: PointerEvent): void => void down.delete(event.pointerId);
  on('pointerup', up);
  on('pointercancel', up);
  on('keydown', (event) => {
    const isShortcut = event.ctrlKey || event.metaKey || event.altKey;
    if (event.target === frame && !isShortcut && pressed(viewport, event.key)) event.preventDefault();
  });
  return () => over.abort();
}
