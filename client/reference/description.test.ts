import { expect, test } from 'vitest';
import { type Description, fieldsOf, sectionsOf, typeOf } from './description.ts';

const description: Description = {
  info: { title: 'Example' },
  tags: [{ name: 'Jobs', description: 'What is computed.' }],
  paths: {
    '/api/jobs/{job}': {
      get: {
        operationId: 'getJob',
        summary: 'See a job',
        tags: ['Jobs'],
        security: [{}, { apiKey: ['jobs:read'] }],
        parameters: [{ name: 'job', in: 'path', required: true, description: 'Its id.', schema: { $ref: '#/components/schemas/JobId' } }],
        responses: {
          200: { description: 'Done.', content: { 'application/json': { schema: { $ref: '#/components/schemas/Job' } } } },
          404: { description: 'None.' },
        },
      },
    },
    '/api/keys': {
      post: {
        operationId: 'makeKey',
        summary: 'Make a key',
        tags: ['Keys'],
        security: [{ session: [] }],
        requestBody: {
          content: {
            'application/json': {
              schema: { type: 'object', properties: { name: { type: 'string', minLength: 1, maxLength: 60 } }, required: ['name'] },
              example: { name: 'Farm' },
            },
          },
        },
        responses: { 201: { description: 'Made.' }, 400: { description: 'Bad.' }, default: { description: 'Else.' } },
      },
    },
  },
  components: { schemas: {} },
};

test('operations stand under their tags, with what they take, give and refuse', () => {
  const [jobs, keys] = sectionsOf(description, 'https://t.example');
  expect([jobs?.name, jobs?.text, keys?.name]).toEqual(['Jobs', 'What is computed.', 'Keys']);
  expect(jobs?.entries[0]).toMatchObject({
    id: 'getJob',
    method: 'GET',
    path: '/api/jobs/{job}',
    access: 'Everybody',
    parameters: [{ name: 'job', type: 'JobId, in the path', link: 'JobId', required: true, text: 'Its id.' }],
    body: null,
    answers: [{ status: '200', mediaType: 'application/json', link: 'Job', rows: [] }],
    refusals: ['404'],
    curl: 'curl https://t.example/api/jobs/{job}',
  });
  expect(keys?.entries[0]).toMatchObject({
    access: 'A session',
    body: { mediaType: 'application/json', rows: [{ name: 'name', type: 'text, 1 to 60 characters', required: true }] },
    answers: [{ status: '201', mediaType: null }],
    refusals: ['400'],
  });
  expect(keys?.entries[0]?.curl.split('\n')).toEqual([
    'curl -X POST https://t.example/api/keys \\',
    '  -H "Authorization: Bearer $TESSERA_KEY" \\',
    '  -H "Content-Type: application/json" \\',
    `  -d '{"name":"Farm"}'`,
  ]);
});

test('types read as words', () => {
  expect(typeOf({ type: 'integer', minimum: 1, maximum: 9 }).type).toBe('integer, 1 to 9');
  expect(typeOf({ type: 'string', enum: ['open', 'done'] }).type).toBe('"open" or "done"');
  expect(typeOf({ anyOf: [{ type: 'number' }, { type: 'null' }] }).type).toBe('number or null');
  expect(typeOf({ type: 'array', items: { $ref: '#/components/schemas/Job' }, maxItems: 3 })).toEqual({ type: 'list of Job', link: 'Job' });
  expect(typeOf({ type: ['string', 'null'], minLength: 0 }).type).toBe('text or null');
  expect(typeOf({}).type).toBe('any');
});

test('fields of objects without a name stand under theirs', () => {
  const rows = fieldsOf({
    type: 'object',
    properties: {
      parts: { type: 'object', properties: { total: { type: 'integer' } }, required: ['total'] },
      jobs: { type: 'array', items: { type: 'object', properties: { id: { type: 'string' } } } },
    },
  });
  expect(rows.map(({ name, required }) => [name, required])).toEqual([
    ['parts', false],
    ['parts.total', true],
    ['jobs', false],
    ['jobs[].id', false],
  ]);
});
