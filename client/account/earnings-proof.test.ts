import { sha256 } from '@noble/hashes/sha2.js';
import { describe, expect, it } from 'vitest';
import { type EarningsLeaf, earningsLeaf, earningsTree, siblingsOf } from '../../shared/earnings.ts';
import { toBase64Url } from '../../shared/formats.ts';
import type { EarningsProof } from '../../shared/money-schemas.ts';
import { earningsProblems } from './earnings-proof.ts';

const AT_MS = Date.parse('2026-11-26T12:00:00.000Z');
const leaves: EarningsLeaf[] = Array.from({ length: 5 }, (_, index) => ({
  epoch: 7,
  wallet: `Wallet${index}`,
  credits: `${(index + 1) * 3_000_000}`,
  debits: '1250000',
  salt: new Uint8Array(16).fill(index),
}));
const rows = earningsTree(
  leaves.map((leaf) => earningsLeaf(leaf, sha256)),
  sha256,
);

function proofOf(index: number): EarningsProof {
  const { epoch, wallet, credits, debits, salt } = leaves[index]!;
  return {
    ...{ epoch, atMs: AT_MS, wallet, creditsMicroCredits: credits, debitsMicroCredits: debits, salt: toBase64Url(salt), index, wallets: leaves.length },
    siblings: siblingsOf(rows, index).map((sibling) => sibling && toBase64Url(sibling)),
    root: toBase64Url(rows.at(-1)![0]!),
    transactions: [],
  };
}

const head = 'time,transfer,kind,phase,account,unit,credits,job,pass,tile,work_unit_rate,elements_recomputed,error_bound';
const line = (time: string, id: string, phase: string, account: string, unit: string, credits: string) =>
  `2026-11-26T${time}.000Z,${id},x,${phase},${account},${unit},${credits},,,,,,`;
const csv = (...lines: string[]) => [head, ...lines, ''].join('\r\n');
/** Of the first wallet: 3 earned, 0.25 spent and 1 withdrawn; nothing else of it counts. */
const statement = csv(
  line('12:00:10', 'vest/late', '', 'earned', 'credit', '5.00'),
  line('11:04:00', 'withdraw/c/void', 'void', 'earned', 'credit', '0.50'),
  line('11:03:00', 'withdraw/b', 'pending', 'earned', 'credit', '-0.30'),
  line('11:02:30', 'withdraw/c', 'pending', 'earned', 'credit', '-0.50'),
  line('11:02:00', 'withdraw/a/post', 'post', 'earned', 'credit', '0.00'),
  line('11:01:00', 'withdraw/a', 'pending', 'earned', 'credit', '-1.00'),
  line('11:00:30', 'hold/j', '', 'earned', 'credit', '-0.25'),
  line('11:00:20', 'pay/r', '', 'vesting', 'credit', '9.00'),
  line('11:00:10', 'vest/t', '', 'earned', 'test', '8.00'),
  line('11:00:00', 'vest/r', '', 'earned', 'credit', '3.00'),
);
const problems = (proof: EarningsProof, own: { wallet?: string; statement?: string | null } = {}) =>
  earningsProblems(proof, own.wallet ?? proof.wallet, own.statement ?? null, sha256);

describe('a proof of earnings', () => {
  it('holds for every leaf of a tree, whatever its shape', () => {
    for (let index = 0; index < leaves.length; index++) expect(problems(proofOf(index)), `leaf ${index}`).toEqual([]);
    const alone = { ...proofOf(0), wallets: 1, siblings: [], root: toBase64Url(earningsLeaf(leaves[0]!, sha256)) };
    expect(problems(alone)).toEqual([]);
  });

  it('does not hold with other totals, another salt, epoch or place', () => {
    const proof = proofOf(2);
    const changes: Partial<EarningsProof>[] = [
      ...[{ creditsMicroCredits: '9000001' }, { debitsMicroCredits: '0' }, { epoch: 8 }],
      ...[{ salt: toBase64Url(new Uint8Array(16).fill(9)) }, { salt: '!' }, { index: 3 }],
    ];
    for (const change of changes) expect(problems({ ...proof, ...change }), JSON.stringify(change)).toContain('Its leaf does not lead to its root.');
  });

  it('does not hold for another root or sibling', () => {
    const proof = proofOf(4);
    expect(problems({ ...proof, root: proofOf(0).siblings[0]! })).toEqual(['Its leaf does not lead to its root.']);
    const siblings = [...proofOf(1).siblings];
    siblings[1] = proof.root;
    expect(problems({ ...proofOf(1), siblings })).toEqual(['Its leaf does not lead to its root.']);
  });

  it('does not hold in a tree of another size', () => {
    expect(problems({ ...proofOf(0), wallets: 3 })).toEqual(['A tree of 3 wallets has no such way from leaf 0 to its root.']);
    expect(problems({ ...proofOf(4), index: 5 }).join()).toContain('no such way from leaf 5');
    expect(problems({ ...proofOf(4), wallets: 6 }).join()).toContain('A tree of 6 wallets');
  });

  it('is refused when it is about another wallet', () => {
    expect(problems(proofOf(0), { wallet: 'Wallet1' })).toEqual(['It is about another wallet: Wallet0.']);
  });
});

describe('the totals of a proof', () => {
  it('agree with the statement up to then: withdrawals count once they are paid', () => {
    expect(problems(proofOf(0), { statement })).toEqual([]);
  });

  it('are told when they do not', () => {
    const without = statement.replace(/.*vest\/r.*\r\n/, '');
    expect(problems(proofOf(0), { statement: without })).toEqual([
      'Your statement adds up to 0.000000 credits earned and 1.250000 taken from them by then; the proof says 3.000000 and 1.250000.',
    ]);
    expect(problems(proofOf(0), { statement: csv() }).join()).toContain('adds up to 0.000000 credits');
  });

  it('may be of before or after a row of the same second, and of no other', () => {
    const row = (time: string) => statement.replace('12:00:10', time);
    for (const time of ['12:00:00', '12:00:02', '11:59:59']) expect(problems(proofOf(0), { statement: row(time) }), time).toEqual([]);
    expect(problems(proofOf(0), { statement: row('11:59:57') }).join()).toContain('adds up to 8.000000 credits');
  });
});
