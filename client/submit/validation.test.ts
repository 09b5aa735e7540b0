import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { ApiError } from '../net/api.ts';
import { errorBeside, paramErrors } from './validation.ts';

const schema = Type.Object(
  { width: Type.Integer({ minimum: 16, maximum: 8192 }), gain: Type.Number(), mode: Type.Union([Type.Literal('a'), Type.Literal('b')]) },
  { additionalProperties: false },
);

describe('paramErrors', () => {
  it('finds nothing in good parameters', () => {
    expect(paramErrors(schema, { width: 16, gain: 0.5, mode: 'a' })).toEqual({});
  });

  it('says the limit of a number that is out of range', () => {
    expect(paramErrors(schema, { width: 9, gain: 0, mode: 'a' })).toEqual({ width: 'At least 16.' });
    expect(paramErrors(schema, { width: 9000, gain: 0, mode: 'a' })).toEqual({ width: 'At most 8192.' });
  });

  it('asks for the right kind of number, also when the control is empty', () => {
    expect(paramErrors(schema, { width: 20.5, gain: null, mode: 'a' })).toEqual({ width: 'A whole number, please.', gain: 'A number, please.' });
  });

  it('names every wrong field once', () => {
    expect(Object.keys(paramErrors(schema, { width: 1.5, gain: 'x', mode: 'c' })).sort()).toEqual(['gain', 'mode', 'width']);
  });
});

describe('errorBeside', () => {
  it('puts a refusal beside the control it names, with what would have been accepted', () => {
    const error = new ApiError('bad_input', 'The picture is too wide.', 'params.width', '16 to 8192');
    expect(errorBeside(error, ['width'])).toEqual({ width: 'The picture is too wide. Accepted: 16 to 8192' });
    expect(errorBeside(new ApiError('bad_input', 'Not a .glb.', 'files.model'), ['model'])).toEqual({ model: 'Not a .glb.' });
    expect(errorBeside(new ApiError('bad_input', 'Too far.', 'params.view.position.0'), ['view'])).toEqual({ view: 'Too far.' });
  });

  it('gives null for what no control shows', () => {
    expect(errorBeside(new ApiError('internal', 'x'), ['width'])).toBeNull();
    expect(errorBeside(new ApiError('bad_input', 'x', 'files.other'), ['width'])).toBeNull();
  });
});
