import type { Layout, Rect } from '../ui/mosaic/layout.ts';
import type { TileBook, TileState } from '../ui/mosaic/tile-book.svelte.ts';

/** What the tiles tell: how far they are, how much of them was computed again, how sure they are. */
export type Facet = 'state' | 'drawn' | 'bound';

/** Tones of tokens.css that the canvas is drawn with. */
export type Tone = 'text' | 'surface' | 'accent' | 'warm' | 'danger';
export type Tones = Readonly<Record<Tone, string>>;

/** How a tile is drawn. Besides its colour it has a mark, so that nobody has to tell colours apart. */
export interface Sign {
  readonly tone: Tone;
  /** Of the fill. */
  readonly opacity: number;
  readonly mark: 'none' | 'slash' | 'ring' | 'corner' | 'full' | 'cross' | 1 | 2 | 3 | 4;
  readonly word: string;
}

export const stateSigns: Readonly<Record<TileState, Sign>> = {
  waiting: { tone: 'surface', opacity: 0, mark: 'none', word: 'Waiting' },
  leased: { tone: 'warm', opacity: 0.35, mark: 'slash', word: 'In work' },
  checking: { tone: 'warm', opacity: 0.6, mark: 'ring', word: 'Being checked' },
  partly: { tone: 'accent', opacity: 0.3, mark: 'corner', word: 'Accepted in part' },
  accepted: { tone: 'accent', opacity: 0.55, mark: 'full', word: 'Accepted' },
  refuted: { tone: 'danger', opacity: 0.6, mark: 'cross', word: 'Refuted' },
};

const level = (mark: 1 | 2 | 3 | 4, word: string): Sign => ({ tone: 'accent', opacity: mark * 0.17, mark, word });
const none = (word: string): Sign => ({ tone: 'surface', opacity: 0, mark: 'none', word });

/** Lower ends of the levels, and what they are called. */
const drawnLevels = [
  [1024, level(4, '1,024 and more')],
  [256, level(3, '256 to 1,023')],
  [64, level(2, '64 to 255')],
  [1, level(1, '1 to 63')],
] as const;
const notDrawn = none('None');
/** Upper ends of the levels. */
const boundLevels = [
  [1e-5, level(4, '1 in 100,000 at most')],
  [1e-4, level(3, '1 in 10,000 at most')],
  [1e-3, level(2, '1 in 1,000 at most')],
  [Number.POSITIVE_INFINITY, level(1, 'More')],
] as const;
const notBound = none('Nothing accepted');

export const legends: Readonly<Record<Facet, readonly Sign[]>> = {
  state: Object.values(stateSigns),
  drawn: [notDrawn, ...drawnLevels.map(([, sign]) => sign).toReversed()],
  bound: [notBound, ...boundLevels.map(([, sign]) => sign).toReversed()],
};

export const drawnSign = (drawn: number): Sign => drawnLevels.find(([from]) => drawn >= from)?.[1] ?? notDrawn;
export const boundSign = (bound: number | null): Sign => (bound === null ? notBound : (boundLevels.find(([to]) => bound <= to)?.[1] ?? notBound));

export interface Scene {
  readonly layout: Layout;
  readonly frame: number;
  readonly book: TileBook;
  readonly facet: Facet;
  /** What is shown, as shares of the picture. */
  readonly shown: Rect;
  readonly nowMs: number;
  /** The job has ended. */
  readonly isOver: boolean;
}

export const signOf = ({ book, facet, nowMs, isOver }: Pick<Scene, 'book' | 'facet' | 'nowMs' | 'isOver'>, tile: number): Sign => {
  if (facet === 'drawn') return drawnSign(book.drawn(tile));
  return facet === 'bound' ? boundSign(book.errorBound(tile)) : stateSigns[book.state(tile, nowMs, isOver)];
};

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 2 });

/** A few letters, for tiles that are large on the screen. */
function noteOf(scene: Scene, tile: number, sign: Sign): string {
  if (scene.facet === 'drawn') return compact.format(scene.book.drawn(tile));
  if (scene.facet === 'state') return sign.word;
  const bound = scene.book.errorBound(tile);
  return bound === null ? '' : bound === 0 ? 'none' : `1 in ${compact.format(1 / bound)}`;
}

/** Edges in pixels of the screen from which on a tile has room for a mark, and for letters. */
const MARK_FROM = 7;
const NOTE_FROM = 56;
const PLATE_FROM = 14;

/** Draws the tiles that are shown. `width` and `height`: of the canvas as it is seen. */
export function drawTiles(context: CanvasRenderingContext2D, scene: Scene, tones: Tones, width: number, height: number): void {
  const { layout, frame, shown } = scene;
  context.clearRect(0, 0, width, height);
  const [scaleX, scaleY] = [width / (shown.width * layout.width), height / (shown.height * layout.height)];
  const count = layout.tiles / layout.frames;
  for (let tile = frame * count; tile < (frame + 1) * count; tile++) {
    const region = layout.region({ pass: 0, tile });
    const rect = {
      x: (region.x - shown.x * layout.width) * scaleX,
      y: (region.y - shown.y * layout.height) * scaleY,
      width: region.width * scaleX,
      height: region.height * scaleY,
    };
    if (rect.x > width || rect.y > height || rect.x + rect.width < 0 || rect.y + rect.height < 0) continue;
    const sign = signOf(scene, tile);
    drawSign(context, rect, sign, tones, PLATE);
    if (Math.min(rect.width, rect.height) >= NOTE_FROM) drawNote(context, rect, noteOf(scene, tile, sign), tones);
  }
}

/** Behind marks and letters, because a picture may have any colour. */
const PLATE = 0.75;

/** `plate`: opacity of what lies behind the mark. */
export function drawSign(context: CanvasRenderingContext2D, rect: Rect, { tone, opacity, mark }: Sign, tones: Tones, plate = 0): void {
  const { x, y, width, height } = rect;
  context.globalAlpha = opacity;
  context.fillStyle = tones[tone];
  context.fillRect(x, y, width, height);
  context.globalAlpha = 1;
  if (mark === 'none' || Math.min(width, height) < MARK_FROM) return;
  const size = Math.min(width, height, 24);
  if (plate > 0 && size >= PLATE_FROM) {
    context.globalAlpha = plate;
    context.fillStyle = tones.surface;
    context.fillRect(x, y, size, size);
    context.globalAlpha = 1;
  }
  context.strokeStyle = tones.text;
  context.fillStyle = tones.text;
  context.lineWidth = 1.5;
  const [left, top] = [x + 2, y + 2];
  const edge = size - 4;
  context.beginPath();
  if (mark === 'slash' || mark === 'cross') {
    context.moveTo(left, top + edge);
    context.lineTo(left + edge, top);
  }
  if (mark === 'cross') {
    context.moveTo(left, top);
    context.lineTo(left + edge, top + edge);
  }
  if (mark === 'ring') context.arc(left + edge / 2, top + edge / 2, edge / 2.5, 0, 2 * Math.PI);
  if (mark === 'corner' || mark === 'full') {
    context.moveTo(left, top + edge * 0.55);
    context.lineTo(left + edge * 0.4, top + edge);
    if (mark === 'full') context.lineTo(left + edge, top + edge * 0.1);
  }
  context.stroke();
  if (typeof mark === 'number')
    for (let pip = 0; pip < mark; pip++) context.fillRect(left + (pip % 2) * (edge / 2), top + Math.floor(pip / 2) * (edge / 2), edge / 4, edge / 4);
}

const NOTE_FONT_PX = 12;
const NOTE_PAD_PX = 3;

function drawNote(context: CanvasRenderingContext2D, { x, y, width, height }: Rect, note: string, tones: Tones): void {
  if (note === '') return;
  context.font = `${NOTE_FONT_PX}px system-ui, sans-serif`;
  const room = context.measureText(note).width;
  // Its mark says the same.
  if (room > width - 4 * NOTE_PAD_PX) return;
  context.globalAlpha = PLATE;
  context.fillStyle = tones.surface;
  context.fillRect(x + NOTE_PAD_PX, y + height - NOTE_FONT_PX - 3 * NOTE_PAD_PX, room + 2 * NOTE_PAD_PX, NOTE_FONT_PX + 2 * NOTE_PAD_PX);
  context.globalAlpha = 1;
  context.fillStyle = tones.text;
  context.fillText(note, x + 2 * NOTE_PAD_PX, y + height - 2 * NOTE_PAD_PX - 1);
}

/** The tones as the canvas can use them, in the theme that is on. */
export function tonesOf(canvas: HTMLElement): Tones {
  const read = (tone: Tone): string => {
    canvas.style.color = `var(--${tone})`;
    return getComputedStyle(canvas).color;
  };
  return { text: read('text'), surface: read('surface'), accent: read('accent'), warm: read('warm'), danger: read('danger') };
}
