import type { ConsentGrant } from '../../shared/schemas.ts';

/** What the three windows of the widget say to each other: the embedding page's element, our frame in it, our consent window. */

export const widgetStates = ['asking', 'dismissed', 'consenting', 'starting', 'running', 'paused', 'stopping', 'stopped', 'failed', 'unsupported'] as const;
export type WidgetState = (typeof widgetStates)[number];

/** Frame to element, and the detail of the element's `tessera-state` event. */
export interface StateMessage {
  readonly state: WidgetState;
  /** Accepted tiles since the visitor agreed. */
  readonly tiles: number;
  /** Micro-credits of this visitor, as a decimal string. */
  readonly earned: string;
}

/** Consent window to the frame that opened it. */
export interface GrantMessage {
  readonly type: 'tessera-grant';
  readonly grant: ConsentGrant;
}

/** Takes nothing but a grant that the window we opened sends from our own origin. */
export function grantOf(event: Pick<MessageEvent, 'source' | 'origin' | 'data'>, opened: unknown, ownOrigin: string): ConsentGrant | null {
  if (opened === null || event.source !== opened || event.origin !== ownOrigin) return null;
  const message = event.data as Partial<GrantMessage> | null;
  return typeof message === 'object' && message?.type === 'tessera-grant' && message.grant ? message.grant : null;
}
