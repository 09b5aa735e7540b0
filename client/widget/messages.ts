import type { WidgetGrant } from './grant.ts';

/** What the windows of the widget say to each other: the embedding page's element, our frame in it, our own window that asks or runs. */

/** `elsewhere`: another tab or card of this browser runs already. `unavailable`: nothing may run for this site at present. */
export const widgetStates = [
  'asking',
  'dismissed',
  'consenting',
  'starting',
  'running',
  'paused',
  'stopping',
  'stopped',
  'failed',
  'elsewhere',
  'unavailable',
  'unsupported',
] as const;
export type WidgetState = (typeof widgetStates)[number];

/** Frame to element, and the detail of the element's `tessera-state` event. */
export interface StateMessage {
  readonly state: WidgetState;
  /** Accepted tiles since the visitor agreed. */
  readonly tiles: number;
  /** Micro-credits of this visitor, as a decimal string. */
  readonly earned: string;
}

/** Our own window to the frame that opened it: the yes, or, where it works itself, how that goes. */
export interface GrantMessage {
  readonly type: 'tessera-grant';
  readonly grant: WidgetGrant;
}
export interface RunMessage {
  readonly type: 'tessera-run';
  readonly report: StateMessage;
  /** What is wrong, for people. */
  readonly message: string | null;
}
/** The frame to the window that works for it. */
export interface StopMessage {
  readonly type: 'tessera-stop';
}

type Heard = Pick<MessageEvent, 'source' | 'origin' | 'data'>;

/** The data of a message that this window, and no other, sends from our own origin. */
const dataFrom = ({ source, origin, data }: Heard, sender: unknown, ownOrigin: string): { type?: unknown } | null =>
  sender !== null && source === sender && origin === ownOrigin && typeof data === 'object' && data !== null ? data : null;

/** Takes nothing but a grant that the window we opened sends from our own origin. */
export function grantOf(event: Heard, opened: unknown, ownOrigin: string): WidgetGrant | null {
  const message = dataFrom(event, opened, ownOrigin) as Partial<GrantMessage> | null;
  return message?.type === 'tessera-grant' && message.grant ? message.grant : null;
}

/** The same for what a window that works tells. */
export function runOf(event: Heard, opened: unknown, ownOrigin: string): RunMessage | null {
  const message = dataFrom(event, opened, ownOrigin) as Partial<RunMessage> | null;
  return message?.type === 'tessera-run' && message.report ? (message as RunMessage) : null;
}

/** Whether the frame that opened us says stop. */
export const saysStop = (event: Heard, opener: unknown, ownOrigin: string): boolean => dataFrom(event, opener, ownOrigin)?.type === 'tessera-stop';
