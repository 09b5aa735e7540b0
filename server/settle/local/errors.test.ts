import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { instructionErrors, transactionErrors } from './errors.ts';

const declarations = readFileSync(createRequire(import.meta.url).resolve('litesvm/dist/internal.d.ts'), 'utf8');

test.each([
  ['TransactionErrorFieldless', transactionErrors],
  ['InstructionErrorFieldless', instructionErrors],
])('%s are named as litesvm numbers them', (name, errors) => {
  const [, body = ''] = new RegExp(`const enum ${name} \\{([^}]*)\\}`).exec(declarations) ?? [];
  expect(errors.map((error, index) => `${error} = ${index}`)).toEqual([...body.matchAll(/\w+ = \d+/g)].map(([entry]) => entry));
});
