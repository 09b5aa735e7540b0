/** A range of rows or columns. */
export interface Span {
  readonly first: number;
  readonly count: number;
}

export type Elements = Float32Array | Int8Array | Int32Array;

/**
 * A matrix as the product uses it, after any transposition: op(A), op(B), C0. It never has to exist whole: `read` may generate what is
 * asked for. f16 is widened to f32 by whoever makes the operand.
 */
export interface Operand {
  readonly rows: number;
  readonly columns: number;
  /** Which lines are contiguous. A transposed row-major matrix has contiguous columns. */
  readonly lines: 'rows' | 'columns';
  readonly type: 'f32' | 'i8' | 'i32';
  /** Elements `span` of each of `lines`, line behind line, into exactly that many elements of this operand's type. All finite. */
  read(lines: Span, span: Span, into: Elements): void;
}

/** Where an operand lies in an array: line l starts at `offset` + l x `stride` elements. */
export interface Layout {
  readonly rows: number;
  readonly columns: number;
  readonly lines: 'rows' | 'columns';
  readonly offset?: number;
  readonly stride?: number;
}

/** Throws `RangeError` when the array is too short. */
export function arrayOperand(values: Elements, { rows, columns, lines, offset = 0, stride = lines === 'rows' ? columns : rows }: Layout): Operand {
  const [count, length] = lines === 'rows' ? [rows, columns] : [columns, rows];
  const needed = offset + (count - 1) * stride + length;
  if (stride < length || values.length < needed)
    throw new RangeError(`an operand of ${rows} x ${columns} needs ${needed} elements, there are ${values.length}`);
  return {
    rows,
    columns,
    lines,
    type: values instanceof Float32Array ? 'f32' : values instanceof Int8Array ? 'i8' : 'i32',
    read(wanted, span, into) {
      const start = offset + wanted.first * stride + span.first;
      if (span.count === stride) into.set(values.subarray(start, start + wanted.count * stride));
      else
        for (let line = 0; line < wanted.count; line++) into.set(values.subarray(start + line * stride, start + line * stride + span.count), line * span.count);
    },
  };
}
