import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Value } from 'typebox/value';
import { SECOND_MS } from '../../shared/limits.ts';
import * as schemas from '../../shared/schemas.ts';
import type { AppDeps } from './deps.ts';
import { HttpError } from './errors.ts';
import { OperatorSessions } from './operator-session.ts';

export interface RoomRouteDeps extends Pick<AppDeps, 'config' | 'store' | 'clock' | 'randomBytes'> {
  /** The address of the process that runs the room, with its secret path. */
  readonly control: string;
}

const ANSWER_MS_MAX = 2 * SECOND_MS;
/** No part of the requesters' API. */
const hide = true;

/**
 * The way of a room's wall, an operator's page, to the process that runs the room (scripts/room.ts): that one plants liars, and kills this one and
 * starts it again, which nobody can do for oneself. There only where `ROOM_CONTROL` names it.
 */
export const roomRoutes =
  ({ control, ...deps }: RoomRouteDeps): FastifyPluginAsyncTypebox =>
  async (app) => {
    const sessions = new OperatorSessions(deps);
    const ask = async (path: string, method: 'GET' | 'POST', body?: object): Promise<Response> => {
      const init = { method, signal: AbortSignal.timeout(ANSWER_MS_MAX), ...(body && { body: JSON.stringify(body) }) };
      const answer = await fetch(`${control}${path}`, init).catch(() => undefined);
      if (!answer?.ok) throw new HttpError('busy', 'The process that runs the room does not answer.');
      return answer;
    };
    const view = async (answer: Response): Promise<schemas.RoomView> => {
      const body: unknown = await answer.json();
      if (!Value.Check(schemas.roomView, body)) throw new HttpError('busy', 'What answers is no process that runs a room.');
      return body;
    };
    app.addHook('preHandler', async (request) => void (await sessions.require(request)));
    app.addHook('onSend', async (_request, reply) => void reply.header('cache-control', 'no-store'));
    app.get('/api/operator/room', { schema: { hide } }, async () => view(await ask('', 'GET')));
    app.post('/api/operator/room', { schema: { hide, body: schemas.roomChange } }, async ({ body }) => view(await ask('', 'POST', body)));
    app.post('/api/operator/room/kill', { schema: { hide } }, async () => view(await ask('/kill', 'POST')));
    app.get('/api/operator/room/reference', { schema: { hide } }, async (_request, reply) => {
      const answer = await ask('/reference', 'GET');
      return reply.type(answer.headers.get('content-type') ?? 'application/octet-stream').send(Buffer.from(await answer.arrayBuffer()));
    });
  };
