import uPlot from 'uplot';
import { SECOND_MS } from '../../shared/limits.ts';
import { rangeOf, tickOf } from './series.ts';

/** uPlot on one series, in the page's colours. Loaded when a plot is shown: it is 22 kB of code. */

export interface PlotOptions {
  readonly height: number;
  readonly format: (value: number) => string;
  /** Seconds that the plot spans at least, however little there is to show. */
  readonly spanSecondsMin: number;
  /** Told which point is under the pointer; null for none. */
  readonly point: (index: number | null) => void;
}

export interface Plot {
  set(times: readonly number[], values: readonly (number | null)[]): void;
  /** As wide as its element is now. */
  fit(): void;
  /** In the colours of now. */
  recolour(): void;
  close(): void;
}

/** Room for labels such as `1,234`, and under the plot for a time. */
const AXIS_PX = 56;
const TIME_AXIS_PX = 28;
/** So few make no line that could be seen. */
const FEW = 10;

export default function drawPlot(element: HTMLElement, { height, format, spanSecondsMin, point }: PlotOptions): Plot {
  // A canvas knows no custom properties: elements of the page's style resolve them.
  const colour = (name: string): string => {
    element.style.color = `var(--${name})`;
    const resolved = getComputedStyle(element).color;
    element.style.color = '';
    return resolved;
  };
  const style = getComputedStyle(element);
  const font = `12px ${style.fontFamily}`;
  const axis = { font, stroke: () => colour('muted'), grid: { stroke: () => colour('sunken'), width: 1 }, ticks: { show: false }, border: { show: false } };
  const plot = new uPlot(
    {
      width: element.clientWidth,
      height,
      padding: [8, 20, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      scales: {
        x: {
          // uPlot's own is a thousand days for a single point.
          range: ({ data: [times] }) => rangeOf(times, spanSecondsMin, Date.now() / SECOND_MS),
        },
        y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] },
      },
      axes: [
        { ...axis, size: TIME_AXIS_PX, space: 64, values: (_, splits, __, ___, step) => splits.map((at) => tickOf(at * SECOND_MS, step * SECOND_MS)) },
        { ...axis, size: AXIS_PX, space: 36, values: (_, splits) => splits.map(format) },
      ],
      series: [{}, { stroke: () => colour('accent'), width: 1.5, points: { show: ({ data }) => (data[0]?.length ?? 0) < FEW, size: 5 }, spanGaps: false }],
      hooks: { setCursor: [({ cursor }) => point(cursor.idx ?? null)] },
    },
    [[], []],
    element,
  );
  return {
    set: (times, values) => plot.setData([[...times], [...values]]),
    fit: () => plot.setSize({ width: element.clientWidth, height }),
    recolour: () => plot.redraw(false, true),
    close: () => plot.destroy(),
  };
}
