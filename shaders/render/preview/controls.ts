import type { View } from '../params.ts';
import { approached, moved, turned } from './frame.ts';

/** How hands move a view: mouse, touch, keys. */

export const instructions =
  'Drag to turn; move with the right button, Shift or two fingers; pinch to come closer, or scroll once the picture has the focus. Keys: arrows turn, with Shift they move, + and − come closer and go away, Home goes back.';

export interface Hands {
  /** Changes what is ordered now. */
  move(change: (view: View) => View): void;
  /** Back to where the files' camera stands. */
  home(): void;
  /** Of the scene. */
  readonly radius: () => number;
}

/** Radians of a drag over the picture's height, and of one press of a key. */
const DRAG_TURN = Math.PI;
const KEY_TURN = Math.PI / 36;
/** Heights of the picture. */
const KEY_MOVE = 0.05;
const KEY_APPROACH = 1.1;
/** Per pixel of a wheel. */
const WHEEL_APPROACH = 1.001;
/** Pixels that a wheel's lines and pages stand for. */
const WHEEL_UNITS = [1, 16, 400];

interface Point {
  readonly x: number;
  readonly y: number;
}

const arrows: Readonly<Record<string, readonly [number, number]>> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** Listens until the signal ends it. */
export function listen(canvas: HTMLCanvasElement, hands: Hands, signal: AbortSignal): void {
  const fingers = new Map<number, Point>();
  const approach = (factor: number): void => hands.move((view) => approached(view, factor, hands.radius()));
  const on = <Type extends keyof HTMLElementEventMap>(type: Type, listener: (event: HTMLElementEventMap[Type]) => void): void =>
    canvas.addEventListener(type, listener, { signal, passive: false });

  /** One finger or the left button turns, two fingers move and pinch. */
  function drag(event: PointerEvent): void {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    const [dx, dy] = [(now.x - before.x) / canvas.clientHeight, (now.y - before.y) / canvas.clientHeight];
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    fingers.set(event.pointerId, now);
    if (other) {
      const spread = (from: Point): number => Math.max(1, Math.hypot(from.x - other.x, from.y - other.y));
      hands.move((view) => approached(moved(view, -dx / 2, dy / 2), spread(before) / spread(now), hands.radius()));
    } else if (event.shiftKey || (event.buttons & 2) !== 0) hands.move((view) => moved(view, -dx, dy));
    else hands.move((view) => turned(view, -dx * DRAG_TURN, dy * DRAG_TURN));
  }

  on('pointerdown', (event) => {
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    event.preventDefault();
  });
  on('pointermove', drag);
  for (const end of ['pointerup', 'pointercancel', 'lostpointercapture'] as const) on(end, (event) => void fingers.delete(event.pointerId));
  on('contextmenu', (event) => event.preventDefault());
  on('wheel', (event) => {
    // A wheel over a picture that nobody has touched scrolls the page.
    if (canvas.ownerDocument.activeElement !== canvas) return;
    event.preventDefault();
    approach(WHEEL_APPROACH ** (event.deltaY * (WHEEL_UNITS[event.deltaMode] ?? 1)));
  });
  on('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = arrows[event.key];
    if (arrow && event.shiftKey) hands.move((view) => moved(view, arrow[0] * KEY_MOVE, arrow[1] * KEY_MOVE));
    else if (arrow) hands.move((view) => turned(view, arrow[0] * KEY_TURN, arrow[1] * KEY_TURN));
    else if (event.key === '+' || event.key === '=') approach(1 / KEY_APPROACH);
    else if (event.key === '-' || event.key === '_') approach(KEY_APPROACH);
    else if (event.key === 'Home') hands.home();
    else return;
    event.preventDefault();
  });
}
