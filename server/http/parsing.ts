import type { FastifyInstance } from 'fastify';
import { limits } from '../../shared/limits.ts';
import { atCap } from '../caps.ts';
import { HttpError } from './errors.ts';

/** Deepest nesting of arrays and objects in a JSON text, without parsing it. Brackets inside strings do not count. */
export function nestingOf(json: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < json.length; at++) {
    const char = json[at];
    if (inString) {
      if (char === '\\') at++;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === '{' || char === '[') deepest = Math.max(deepest, ++depth);
    else if (char === '}' || char === ']') depth--;
  }
  return deepest;
}

/**
 * Two kinds of body and no other: JSON, capped in size and nesting, and bytes, handed to the route as a stream. Forms are not
 * among them, so no foreign page can send a body without the browser asking first.
 */
export function addParsers(app: FastifyInstance): void {
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body: string, done) => {
    if (nestingOf(body) > limits.nestingMax)
      done(atCap('nestingMax', new HttpError('bad_input', 'The body is nested too deeply.', undefined, `at most ${limits.nestingMax} levels`)));
    else parseJson(request, body, done);
  });
  // One that comes a byte at a time.
  app.addHook('preParsing', async ({ headers, raw }) => {
    if (!headers['content-type']?.startsWith('application/json')) return;
    const late = setTimeout(() => raw.destroy(atCap('jsonBodyMsMax', new Error('the body took too long'))), limits.jsonBodyMsMax);
    raw.once('end', () => clearTimeout(late)).once('close', () => clearTimeout(late));
  });
  // A route that stops reading half-way must still be able to answer, so leaving the loop does not close the connection.
  app.addContentTypeParser(['application/octet-stream', 'application/offset+octet-stream'], (_request, payload, done) =>
    done(null, payload.iterator({ destroyOnReturn: false })),
  );
  // The rest of a body that was refused is read and dropped: a client that is still sending could not hear the answer.
  app.addHook('onResponse', async ({ raw }) => void raw.resume());
}
