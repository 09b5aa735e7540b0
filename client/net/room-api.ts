import type { RoomChange, RoomView } from '../../shared/schemas.ts';
import { call } from './api.ts';

/** Routes of a room's wall: there where `npm run room` started the coordinator, and for its operator. */
export const roomApi = {
  view: () => call<RoomView>('GET', '/api/operator/room'),
  change: (change: RoomChange) => call<RoomView>('POST', '/api/operator/room', change),
  kill: () => call<RoomView>('POST', '/api/operator/room/kill'),
};

/** The picture to compare with. */
export const referenceUrl = '/api/operator/room/reference';
