import { Value } from 'typebox/value';
import { expect, test } from 'vitest';
import { workload, workloadIds } from '../../shaders/registry.ts';
import { MINUTE_MS } from '../../shared/limits.ts';
import { type AgreementView, agreementView } from '../../shared/schemas.ts';
import type { Agreement } from '../store/store.ts';
import { Visitor, withApp } from './testing.ts';

const agreement: Agreement = { workload: workloadIds[0]!, author: 'arm/mali/vulkan', auditor: 'cpu', drawn: 1000, differing: 3, unexplained: 0 };

test('everybody sees how device classes agree beside what each workload declares, at most a minute old', () =>
  withApp(async (test) => {
    const guest = new Visitor(test);
    await test.store.commit([{ kind: 'agreement', agreement }]);
    const { status, body, headers } = await guest.ask<AgreementView>('GET', '/api/agreement');
    expect(status).toBe(200);
    expect(headers['cache-control']).toBe('public, max-age=60');
    expect(Value.Errors(agreementView, body)).toEqual([]);
    expect(body.pairs).toEqual([agreement]);
    expect(body.bounds).toEqual(workloadIds.map((id) => ({ workload: id, ...workload(id)!.spec.tolerance })));

    await test.store.commit([{ kind: 'agreement', agreement }]);
    expect((await guest.ask<AgreementView>('GET', '/api/agreement')).body).toEqual(body);
    test.now.ms += MINUTE_MS;
    expect((await guest.ask<AgreementView>('GET', '/api/agreement')).body.pairs).toEqual([{ ...agreement, drawn: 2000, differing: 6 }]);
  }));
