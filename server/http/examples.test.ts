import { createHash } from 'node:crypto';
import { Check } from 'typebox/value';
import { expect, test } from 'vitest';
import { workload } from '../../shaders/registry.ts';
import { limits } from '../../shared/limits.ts';
import { type ExampleView, examplesView } from '../../shared/schemas.ts';
import { Visitor, withApp } from './testing.ts';

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('every example can be ordered: its parameters by its form, its files by the bytes that the workload made', () =>
  withApp(async (app) => {
    const { body, headers } = await new Visitor(app).ask<{ examples: ExampleView[] }>('GET', '/api/examples');
    expect(Check(examplesView, body)).toBe(true);
    expect(body.examples.length).toBeGreaterThan(1);
    expect(headers['cache-control']).toBe('public, max-age=3600');
    for (const example of body.examples) {
      const entry = workload(example.workload)!;
      expect(Check((await entry.form()).params, example.params)).toBe(true);
      const sample = (await (await entry.samples()).samples()).find(({ id }) => id === example.id)!;
      expect(example.files.map(({ name }) => name)).toEqual(Object.keys(sample.files));
      for (const { name, bytes } of example.files) {
        const { rawPayload } = await app.app.inject({ url: `/api/examples/${example.workload}/${example.id}/files/${name}` });
        expect(digest(rawPayload)).toBe(digest(sample.files[name]!));
        expect(rawPayload.byteLength).toBe(bytes);
        expect(bytes).toBeLessThan(limits.uploadBytesMax);
      }
      const picture = await app.app.inject({ url: `/api/examples/${example.workload}/${example.id}/picture` });
      expect(picture.headers['content-type']).toBe(sample.picture.mediaType);
      expect(digest(picture.rawPayload)).toBe(digest(sample.picture.bytes));
    }
  }));

test.each(['/nothing/kitchen/picture', '/render/nothing/picture', '/render/kitchen/files/constructor', '/render/kitchen/files/nothing'])(
  '%s is not there',
  (path) =>
    withApp(async (app) => {
      const { status, body } = await new Visitor(app).ask<{ code: string }>('GET', `/api/examples${path}`);
      expect([status, body.code]).toEqual([404, 'not_found']);
    }),
);
