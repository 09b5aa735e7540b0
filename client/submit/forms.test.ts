import { describe, expect, it } from 'vitest';
import { workload, workloadIds } from '../../shaders/registry.ts';
import { orderedParams } from '../ui/form-fields.ts';
import { paramErrors } from './validation.ts';

/** What the submit page and the command line take for granted of every workload's form. */

describe.each(workloadIds)('the form of %s', (id) => {
  it('has conditions about choices that come before', async () => {
    const { fields } = await workload(id)!.form();
    expect(new Set(fields.map(({ name }) => name)).size).toBe(fields.length);
    for (const [at, { name, when }] of fields.entries()) {
      if (!when) continue;
      const choice = fields.slice(0, at).find((field) => field.name === when.field);
      expect(choice?.kind, name).toBe('choice');
      const values = choice?.kind === 'choice' ? choice.options.map(({ value }) => value) : [];
      expect(values, name).toEqual(expect.arrayContaining([...when.is]));
      expect(when.is.length, name).toBeGreaterThan(0);
    }
  });

  it('can be ordered as it begins, whatever is chosen', async () => {
    const { spec, form } = workload(id)!;
    const { fields, params } = await form();
    const defaults = spec.defaults as Record<string, unknown>;
    const choices = fields.flatMap((field) => (field.kind === 'choice' ? field.options.map(({ value }) => ({ [field.name]: value })) : []));
    for (const choice of [{}, ...choices])
      expect([choice, paramErrors(params, orderedParams(fields, { ...defaults, ...choice }, defaults))]).toEqual([choice, {}]);
  });

  it('says in one sentence what will run, and begins with a verb', () => {
    const { title, summary } = workload(id)!.spec;
    expect(summary).toMatch(/\.$/);
    expect(summary.length).toBeLessThanOrEqual(140);
    expect(title).toMatch(/^[A-Z][a-z]+ /);
  });
});
