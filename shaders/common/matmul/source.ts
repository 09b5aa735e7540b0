import { EXACT_WORDS, type ProductKind, type ProductType, tileM, tileN, type Variant } from './kind.ts';
import template from './product.wgsl?raw';

/**
 * The kernel of a variant, from one template. What depends on the variant is unrolled into single variables here: arrays that a loop
 * indexes are not sure to end up in registers.
 */

export interface SourceOptions {
  readonly kind: ProductKind;
  readonly variant: Variant;
  /** All lines and offsets are whole vectors of four, so that four numbers are one load. */
  readonly vectors: boolean;
  /** The device reads f16 by itself. */
  readonly nativeHalf: boolean;
}

const count = <T>(length: number, each: (index: number) => T): T[] => Array.from({ length }, (_, index) => each(index));
const lines = (statements: readonly string[], indent: string): string => statements.map((statement) => `${indent}${statement}`).join('\n');

/** The type of a number of an operand, after it was loaded. */
const elementOf: Readonly<Record<ProductType, string>> = { f32: 'f32', f16: 'f32', i8: 'u32', i32: 'i32' };

/** Of what a thread adds up. */
const sumOf = ({ type }: ProductKind, { bytes }: Variant): string => (type === 'i32' || (type === 'i8' && bytes === 'dot4') ? 'i32' : 'f32');

/** Four numbers from an offset on that is a multiple of four: how they are stored, and how they are read. */
function storage({ kind, vectors, nativeHalf }: SourceOptions): { readonly stored: string; readonly load: (buffer: string, at: string) => string } {
  const element = elementOf[kind.type];
  if (kind.type === 'f16') {
    if (nativeHalf && vectors) return { stored: 'vec4<f16>', load: (buffer, at) => `vec4f(${buffer}[(${at}) >> 2u])` };
    if (vectors)
      return { stored: 'vec2u', load: (buffer, at) => `vec4f(unpack2x16float(${buffer}[(${at}) >> 2u].x), unpack2x16float(${buffer}[(${at}) >> 2u].y))` };
    const half = (buffer: string, at: string): string => `unpack2x16float(${buffer}[(${at}) >> 1u] >> (((${at}) & 1u) * 16u)).x`;
    return { stored: 'u32', load: (buffer, at) => `vec4f(${count(4, (i) => half(buffer, `${at} + ${i}u`)).join(', ')})` };
  }
  if (vectors) return { stored: `vec4<${element}>`, load: (buffer, at) => `${buffer}[(${at}) >> 2u]` };
  return { stored: element, load: (buffer, at) => `vec4<${element}>(${count(4, (i) => `${buffer}[${at} + ${i}u]`).join(', ')})` };
}

/** Functions that read four numbers of A or B, along their lines. */
function loaders(options: SourceOptions): string {
  const { kind } = options;
  const element = elementOf[kind.type];
  const { load } = storage(options);
  const reader = (name: string, line: string, along: string, buffer: string): string =>
    `fn ${name}(${line}: u32, ${along}: u32) -> vec4<${element}> { return ${load(buffer, `p.${buffer}Offset + ${line} * p.${buffer}Stride + ${along}`)}; }`;
  const a = kind.loadA
    ? `${kind.loadA.code}\nfn readA(row: u32, k: u32) -> vec4f { return loadA(row, k); }`
    : kind.transposeA
      ? reader('readA', 'k', 'row', 'a')
      : reader('readA', 'row', 'k', 'a');
  const b = kind.transposeB ? reader('readB', 'column', 'k', 'b') : reader('readB', 'k', 'column', 'b');
  return `${a}\n${b}`;
}

/** What is read of A and B for workgroup memory: zeros from the end of k on. Of whole numbers A's zeros are enough. */
function masks(kind: ProductKind): string {
  const element = elementOf[kind.type];
  const along = (value: string): string => `select(vec4<${element}>(), ${value}, k + vec4u(0, 1, 2, 3) < vec4u(p.k))`;
  const across = (value: string): string => `select(vec4<${element}>(), ${value}, k < p.k)`;
  const isFloat = element === 'f32';
  const functions = [
    kind.transposeA ? '' : `fn aMasked(row: u32, k: u32) -> vec4<${element}> { return ${along('readA(row, k)')}; }`,
    kind.transposeB
      ? `fn bMasked(column: u32, k: u32) -> vec4<${element}> { return ${isFloat ? along('readB(column, k)') : 'readB(column, k)'}; }`
      : `fn bRow(k: u32, column: u32) -> vec4<${element}> { return ${isFloat ? across('readB(k, column)') : 'readB(k, column)'}; }`,
  ];
  return functions.filter((each) => each !== '').join('\n');
}

/** Adds the products of a number of A and four of B. */
function multiply({ kind, variant }: SourceOptions): string {
  const [element, sum] = [elementOf[kind.type], sumOf(kind, variant)];
  const head = `fn mac(sum: vec4<${sum}>, a: ${element}, b: vec4<${element}>) -> vec4<${sum}>`;
  if (kind.type !== 'i8') return `${head} { return sum + a * b; }`;
  if (variant.bytes === 'dot4') return `${head} { return sum + vec4i(${count(4, (i) => `dot4I8Packed(a, b[${i}])`).join(', ')}); }`;
  return `${head} {\n  let x = vec4f(unpack4xI8(a));\n  return sum + vec4f(${count(4, (i) => `dot(x, vec4f(unpack4xI8(b[${i}])))`).join(', ')});\n}`;
}

/** The names of what a thread adds up: `perThreadM` x `perThreadN` / 4 vectors. */
const sums = ({ perThreadM, perThreadN }: Variant): string[] =>
  count(perThreadM * (perThreadN / 4), (at) => `c${Math.floor(at / (perThreadN / 4))}_${at % (perThreadN / 4)}`);

/** All products of one k: `a(i)` names a number of row i, `b(j)` four of columns. */
const products = ({ perThreadM, perThreadN }: Variant, a: (i: number) => string, b: (j: number) => string): string[] =>
  count(perThreadM, (i) => count(perThreadN / 4, (j) => `c${i}_${j} = mac(c${i}_${j}, ${a(i)}, ${b(j)});`)).flat();

/** Four vectors seen crosswise: component `at` of each. */
const across = (type: string, names: readonly string[], at: number): string => `vec4<${type}>(${names.map((name) => `${name}[${at}]`).join(', ')})`;

/** Four steps of k by a thread that reads from the buffers. `last`: k ends among them, and what is behind it must not count. */
function directStep({ kind, variant }: SourceOptions, last: boolean): string[] {
  const { perThreadM, perThreadN, subgroups } = variant;
  const element = elementOf[kind.type];
  const masked = (value: string): string => (last ? `select(vec4<${element}>(), ${value}, k + vec4u(0, 1, 2, 3) < vec4u(p.k))` : value);
  // Whole numbers times zero are zero.
  const isFloat = element === 'f32';
  const maskedB = (value: string): string => (isFloat ? masked(value) : value);
  const rowOfB = (kk: number, j: number): string => {
    const value = `readB(k + ${kk}u, column(${4 * j}u))`;
    return last && isFloat ? `select(vec4f(), ${value}, k + ${kk}u < p.k)` : value;
  };
  const quads = count(perThreadN / 4, (j) => j);
  const readA = kind.transposeA
    ? count(4, (kk) =>
        count(
          perThreadM / 4,
          (q) =>
            `let a${kk}_${q} = ${last ? `select(vec4<${element}>(), readA(k + ${kk}u, row + ${4 * q}u), k + ${kk}u < p.k)` : `readA(k + ${kk}u, row + ${4 * q}u)`};`,
        ),
      ).flat()
    : subgroups
      ? [
          ...count(perThreadM / 4, (q) => `let mine${q} = ${masked(`readA(row + ${4 * q}u + (lane & 3u), k)`)};`),
          ...count(perThreadM, (i) => `let a${i} = subgroupBroadcast(mine${i >> 2}, ${i & 3}u);`),
        ]
      : count(perThreadM, (i) => `let a${i} = ${masked(`readA(row + ${i}u, k)`)};`);
  const readB = kind.transposeB ? count(perThreadN, (j) => `let b${j} = ${maskedB(`readB(column(${j}u), k)`)};`) : [];
  const a = (i: number, kk: number): string => (kind.transposeA ? `a${kk}_${i >> 2}[${i & 3}]` : `a${i}[${kk}]`);
  const steps = count(4, (kk) => [
    ...quads.map((j) =>
      kind.transposeB
        ? `let b${kk}_${j} = ${across(
            element,
            count(4, (l) => `b${4 * j + l}`),
            kk,
          )};`
        : `let b${kk}_${j} = ${rowOfB(kk, j)};`,
    ),
    ...products(
      variant,
      (i) => a(i, kk),
      (j) => `b${kk}_${j}`,
    ),
  ]);
  return [...readA, ...readB, ...steps.flat()];
}

/** Sums that floats hold exactly go over to whole numbers in time. */
function flush({ kind, variant }: SourceOptions): string[] {
  if (kind.type !== 'i8' || variant.bytes === 'dot4') return [];
  return sums(variant).flatMap((name) => [`w${name} += vec4i(${name});`, `${name} = vec4f();`]);
}

function direct(options: SourceOptions): string {
  const flushing = flush(options);
  const every = flushing.length > 0 ? [`if ((k & ${EXACT_WORDS - 1}u) == ${EXACT_WORDS - 4}u) {`, ...flushing.map((each) => `  ${each}`), '}'] : [];
  return `
  var k = 0u;
  let whole = p.k & ~3u;
  for (; k < whole; k += 4u) {
${lines([...directStep(options, false), ...every], '    ')}
  }
  if (k < p.k) {
${lines(directStep(options, true), '    ')}
  }
${lines(flushing, '  ')}`;
}

/** What a thread carries from the buffers to workgroup memory: pieces of four numbers, or squares of 4 x 4 that are turned on the way. */
interface Carried {
  readonly fetch: readonly string[];
  readonly put: (buffer: string) => readonly string[];
}

function carried(options: SourceOptions, side: 'a' | 'b'): Carried {
  const { kind, variant } = options;
  const { stepK } = variant;
  const element = elementOf[kind.type];
  const threads = variant.threadsM * variant.threadsN;
  const [outer, turned] = side === 'a' ? [tileM(variant), kind.transposeA] : [tileN(variant), kind.transposeB];
  const units = turned ? (outer * stepK) / 16 : (outer * stepK) / 4;
  const each = Math.ceil(units / threads);
  const isFull = units % threads === 0;
  const guard = (unit: number, statements: string[]): string[] =>
    isFull ? statements : [`if (thread + ${unit * threads}u < ${units}u) {`, ...statements.map((statement) => `  ${statement}`), '}'];
  const k4 = stepK / 4;
  // Shared A: row after row, four k in a vector. Shared B: k after k, four columns in a vector.
  const rowOf = side === 'a' ? 'tileRow' : 'tileColumn';
  const fetch: string[] = [];
  const puts: ((buffer: string) => string[])[] = [];
  for (let unit = 0; unit < each; unit++) {
    const [id, name] = [`${side}i${unit}`, `${side}f${unit}`];
    fetch.push(`let ${id} = thread + ${unit * threads}u;`);
    if (!turned && side === 'a') {
      fetch.push(`let ${name} = aMasked(${rowOf} + ${id} / ${k4}u, k + (${id} % ${k4}u) * 4u);`);
      puts.push((buffer) => guard(unit, [`sharedA${buffer}[${id}] = ${name};`]));
    } else if (!turned) {
      fetch.push(`let ${name} = bRow(k + ${id} / ${outer / 4}u, ${rowOf} + (${id} % ${outer / 4}u) * 4u);`);
      puts.push((buffer) => guard(unit, [`sharedB${buffer}[${id}] = ${name};`]));
    } else if (side === 'a') {
      for (let l = 0; l < 4; l++)
        fetch.push(
          `let ${name}_${l} = select(vec4<${element}>(), readA(k + (${id} / ${outer / 4}u) * 4u + ${l}u, ${rowOf} + (${id} % ${outer / 4}u) * 4u), k + (${id} / ${outer / 4}u) * 4u + ${l}u < p.k);`,
        );
      puts.push((buffer) =>
        guard(
          unit,
          count(
            4,
            (l) =>
              `sharedA${buffer}[((${id} % ${outer / 4}u) * 4u + ${l}u) * ${k4}u + ${id} / ${outer / 4}u] = ${across(
                element,
                count(4, (m) => `${name}_${m}`),
                l,
              )};`,
          ),
        ),
      );
    } else {
      for (let l = 0; l < 4; l++) fetch.push(`let ${name}_${l} = bMasked(${rowOf} + (${id} / ${k4}u) * 4u + ${l}u, k + (${id} % ${k4}u) * 4u);`);
      puts.push((buffer) =>
        guard(
          unit,
          count(
            4,
            (l) =>
              `sharedB${buffer}[((${id} % ${k4}u) * 4u + ${l}u) * ${outer / 4}u + ${id} / ${k4}u] = ${across(
                element,
                count(4, (m) => `${name}_${m}`),
                l,
              )};`,
          ),
        ),
      );
    }
  }
  return { fetch, put: (buffer) => puts.flatMap((put) => put(buffer)) };
}

/** All products of the tiles in workgroup memory. */
function sharedStep({ variant }: SourceOptions, buffer: string): string[] {
  const { perThreadM, perThreadN, threadsN, stepK } = variant;
  const k4 = stepK / 4;
  const statements: string[] = [];
  for (let q = 0; q < k4; q++) {
    statements.push(...count(perThreadM, (i) => `let a${q}_${i} = sharedA${buffer}[(threadRow + ${i}u) * ${k4}u + ${q}u];`));
    for (let kk = 0; kk < 4; kk++) {
      const k = 4 * q + kk;
      statements.push(...count(perThreadN / 4, (j) => `let b${k}_${j} = sharedB${buffer}[${k * (tileN(variant) / 4)}u + ${j * threadsN}u + threadColumn];`));
      statements.push(
        ...products(
          variant,
          (i) => `a${q}_${i}[${kk}]`,
          (j) => `b${k}_${j}`,
        ),
      );
    }
  }
  return statements;
}

function shared(options: SourceOptions): string {
  const { variant } = options;
  const { stepK, doubleBuffer } = variant;
  const [a, b] = [carried(options, 'a'), carried(options, 'b')];
  const flushing = flush(options);
  const every = flushing.length > 0 ? [`if (k % ${EXACT_WORDS}u == ${EXACT_WORDS - stepK}u) {`, ...flushing.map((each) => `  ${each}`), '}'] : [];
  if (!doubleBuffer)
    return `
  for (var k = 0u; k < p.k; k += ${stepK}u) {
    {
${lines([...a.fetch, ...b.fetch, ...a.put('0'), ...b.put('0')], '      ')}
    }
    workgroupBarrier();
    {
${lines(sharedStep(options, '0'), '      ')}
    }
${lines(every, '    ')}
    workgroupBarrier();
  }
${lines(flushing, '  ')}`;
  const half = (now: string, next: string): string => `
    {
${lines([...a.fetch, ...b.fetch], '      ')}
      {
${lines(sharedStep(options, now), '        ')}
      }
${lines([...a.put(next), ...b.put(next)], '      ')}
    }
    workgroupBarrier();`;
  // k runs ahead of what is multiplied by a step. Behind the end nothing but zeros of A is fetched.
  return `
  var k = 0u;
  {
${lines([...a.fetch, ...b.fetch, ...a.put('0'), ...b.put('0')], '    ')}
  }
  workgroupBarrier();
  while (k < p.k) {
    k += ${stepK}u;${half('0', '1')}
    k += ${stepK}u;${half('1', '0')}
${lines(flushing.length > 0 ? [`if (k % ${EXACT_WORDS}u == 0u) {`, ...flushing.map((each) => `  ${each}`), '}'] : [], '    ')}
  }
${lines(flushing, '  ')}`;
}

/** Where a thread's columns are: four beside each other, the next four a row of threads further. */
const columnOf = ({ threadsN }: Variant): string => `tileColumn + threadColumn * 4u + (at >> 2u) * ${4 * threadsN}u + (at & 3u)`;

function stores({ kind, variant }: SourceOptions): string[] {
  const flushed = kind.type === 'i8' && variant.bytes === 'f32';
  return count(variant.perThreadM, (i) => [
    `if (row + ${i}u < p.m) {`,
    ...count(variant.perThreadN / 4, (j) => `  store4(row + ${i}u, column(${4 * j}u), ${flushed ? 'w' : ''}c${i}_${j});`),
    '}',
  ]).flat();
}

function sharedMemory({ kind, variant }: SourceOptions): string {
  if (variant.memory === 'direct') return '';
  const element = elementOf[kind.type];
  const buffers = variant.doubleBuffer ? ['0', '1'] : ['0'];
  return buffers
    .map(
      (buffer) => `var<workgroup> sharedA${buffer}: array<vec4<${element}>, ${(tileM(variant) * variant.stepK) / 4}>;
var<workgroup> sharedB${buffer}: array<vec4<${element}>, ${(tileN(variant) * variant.stepK) / 4}>;`,
    )
    .join('\n');
}

/** The sum of an entry, as it is stored. */
function finish({ kind }: ProductKindOnly): string {
  const whole = kind.type === 'i8' || kind.type === 'i32';
  const type = whole ? 'i32' : 'f32';
  const terms = [
    whole ? 'sum' : 'p.alpha * sum',
    kind.addend ? `${whole ? 'i32(p.beta)' : 'p.beta'} * addend[p.addendOffset + row * p.addendStride + column]` : '',
    kind.bias ? 'bias[p.biasOffset + column]' : '',
  ];
  const activated = { none: 'x', relu: `max(x, ${type}())`, leaky: whole ? 'x' : 'select(p.slope * x, x, x >= 0.0)' }[kind.activation];
  return `fn finish(row: u32, column: u32, sum: ${type}) -> ${type} {
  let x = ${terms.filter((term) => term !== '').join(' + ')};
  return ${activated};
}`;
}

type ProductKindOnly = Pick<SourceOptions, 'kind'>;

export function productSource(options: SourceOptions): string {
  const { kind, variant, nativeHalf } = options;
  const sum = sumOf(kind, variant);
  const stored = kind.type === 'i8' || kind.type === 'i32' ? 'i32' : 'f32';
  const flushed = kind.type === 'i8' && variant.bytes === 'f32';
  const { stored: operand } = storage(options);
  const extra = [
    kind.addend ? `@group(0) @binding(4) var<storage, read> addend: array<${stored}>;` : '',
    kind.bias ? `@group(0) @binding(5) var<storage, read> bias: array<${stored}>;` : '',
    kind.loadA ? '' : `@group(0) @binding(1) var<storage, read> a: array<${operand}>;`,
  ];
  const parts: Readonly<Record<string, string>> = {
    ENABLE: [nativeHalf && kind.type === 'f16' ? 'enable f16;' : '', variant.subgroups ? 'enable subgroups;' : ''].filter((line) => line !== '').join('\n'),
    OPERAND: operand,
    STORED: stored,
    EXTRA: extra.filter((line) => line !== '').join('\n'),
    SHARED: sharedMemory(options),
    LOADERS: loaders(options),
    MAC: multiply(options),
    FINISH: finish(options),
    ELEMENT: elementOf[kind.type],
    MASKED: masks(kind),
    COLUMN: columnOf(variant),
    THREADS: `${variant.threadsN * variant.threadsM}`,
    THREADS_N: `${variant.threadsN}u`,
    LANE: variant.subgroups ? ', @builtin(subgroup_invocation_id) lane: u32' : '',
    TILE_M: `${tileM(variant)}u`,
    TILE_N: `${tileN(variant)}u`,
    ROWS: `${variant.perThreadM}u`,
    SUMS: lines(
      [...sums(variant).map((name) => `var ${name} = vec4<${sum}>();`), ...(flushed ? sums(variant).map((name) => `var w${name} = vec4i();`) : [])],
      '  ',
    ),
    MULTIPLY: variant.memory === 'direct' ? direct(options) : shared(options),
    STORES: lines(stores(options), '  '),
  };
  return template.replace(/\/\*([A-Z_]+)\*\//g, (_, name: string) => {
    const part = parts[name];
    if (part === undefined) throw new Error(`the template asks for ${name}`);
    return part;
  });
}
