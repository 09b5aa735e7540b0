import { MICRO, type MicroCredits, parseCredits } from '../../shared/credits.ts';
import { earningsLeaf, rootFrom, type Sha256 } from '../../shared/earnings.ts';
import { fromBase64Url, toHex } from '../../shared/formats.ts';
import type { EarningsProof } from '../../shared/money-schemas.ts';

/** Micro-credits that were ever posted to what a wallet earned, and from it. */
export interface Totals {
  readonly credits: MicroCredits;
  readonly debits: MicroCredits;
}

/** Rows that were written while an epoch was may stand on either side of it. */
const SLACK_MS = 2000;

/** Which nodes on the way up have no sibling follows from the place and the number of leaves; a tree of another shape is another tree. */
function isShaped({ index, wallets, siblings }: EarningsProof): boolean {
  if (index < 0 || index >= wallets) return false;
  let [at, width, depth] = [index, wallets, 0];
  for (; width > 1; depth++) {
    if ((siblings[depth] != null) !== (at ^ 1) < width) return false;
    [at, width] = [at >> 1, Math.ceil(width / 2)];
  }
  return depth === siblings.length;
}

function leadsToRoot(proof: EarningsProof, sha256: Sha256): boolean {
  const { epoch, wallet, creditsMicroCredits: credits, debitsMicroCredits: debits } = proof;
  try {
    const leaf = earningsLeaf({ epoch, wallet, credits, debits, salt: fromBase64Url(proof.salt) }, sha256);
    const siblings = proof.siblings.map((sibling) => (sibling === null ? null : fromBase64Url(sibling)));
    return rootFrom(leaf, proof.index, siblings, sha256) === toHex(fromBase64Url(proof.root));
  } catch {
    // Not base64url: no hash at all.
    return false;
  }
}

const decimal = (amount: MicroCredits): string => `${amount / MICRO}.${(amount % MICRO).toString().padStart(6, '0')}`;

/**
 * What is wrong with a proof, in sentences; nothing when it is whole. `wallet` is the one that is signed in, `statement` the whole statement
 * as CSV, or null where only the proof itself is checked. Trusts nothing of the coordinator's but the statement, which the reader can compare.
 */
export function earningsProblems(proof: EarningsProof, wallet: string, statement: string | null, sha256: Sha256): string[] {
  const problems: string[] = [];
  if (proof.wallet !== wallet) problems.push(`It is about another wallet: ${proof.wallet}.`);
  if (!isShaped(proof)) problems.push(`A tree of ${proof.wallets} wallets has no such way from leaf ${proof.index} to its root.`);
  if (!leadsToRoot(proof, sha256)) problems.push('Its leaf does not lead to its root.');
  if (statement === null) return problems;
  const said: Totals = { credits: BigInt(proof.creditsMicroCredits), debits: BigInt(proof.debitsMicroCredits) };
  const found = totalsAround(statement, proof.atMs);
  if (!found.some(({ credits, debits }) => credits === said.credits && debits === said.debits)) {
    const { credits, debits } = found[0]!;
    problems.push(
      `Your statement adds up to ${decimal(credits)} credits earned and ${decimal(debits)} taken from them by then; the proof says ${decimal(said.credits)} and ${decimal(said.debits)}.`,
    );
  }
  return problems;
}

interface Row {
  readonly atMs: number;
  readonly id: string;
  readonly phase: string;
  readonly microCredits: MicroCredits;
}

/** Columns of ours hold no commas but job and title texts, which stand behind those that are read here. */
function rowsOf(csv: string): Row[] {
  const [head = '', ...lines] = csv.trim().split(/\r?\n/);
  const names = head.split(',');
  const [time, id, phase, account, unit, credits] = ['time', 'transfer', 'phase', 'account', 'unit', 'credits'].map((name) => names.indexOf(name));
  return lines
    .map((line) => line.split(','))
    .filter((cells) => cells[account!] === 'earned' && cells[unit!] === 'credit')
    .map((cells) => ({ atMs: Date.parse(cells[time!]!), id: cells[id!]!, phase: cells[phase!]!, microCredits: parseCredits(cells[credits!]!) }));
}

/** A withdrawal is taken in two steps, and counts from the second on: `ID/post` ends `ID`. */
function totalsAt(rows: readonly Row[], atMs: number): Totals {
  const until = rows.filter((row) => row.atMs <= atMs);
  const posted = new Set(until.filter(({ phase }) => phase === 'post').map(({ id }) => id.replace(/\/post$/, '')));
  let [credits, debits] = [0n, 0n];
  for (const { id, phase, microCredits } of until) {
    if (phase === 'void' || (phase === 'pending' && !posted.has(id))) continue;
    if (microCredits > 0n) credits += microCredits;
    else debits -= microCredits;
  }
  return { credits, debits };
}

/** At that moment first, then at every other that rows of the same seconds leave open. */
function totalsAround(csv: string, atMs: number): Totals[] {
  const rows = rowsOf(csv);
  const near = rows.map((row) => row.atMs).filter((ms) => Math.abs(ms - atMs) <= SLACK_MS);
  return [...new Set([atMs, ...near, ...near.map((ms) => ms - 1)])].map((ms) => totalsAt(rows, ms));
}
