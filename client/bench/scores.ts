import type { Result } from 'lighthouse';

/** Lighthouse's categories and what they are called here. */
const categories = { performance: 'lighthouse_performance', accessibility: 'lighthouse_accessibility', 'best-practices': 'lighthouse_best_practices' } as const;

/** One run in ten is several points off; Lighthouse itself advises a median. */
const RUNS = 3;

export interface Scores {
  /** 0 to 100. */
  readonly scores: Readonly<Record<string, number>>;
  /** Audits that cost points. */
  readonly lost: readonly string[];
}

/**
 * Lighthouse on a page, as a simulated phone, which is its default: the run with the median performance. A string says why there is none: not
 * installed, or it does not run here.
 */
export async function lighthouseScores(url: string, debuggingPort: number): Promise<Scores | string> {
  const lighthouse = await import('lighthouse').catch(() => null);
  if (!lighthouse) return 'the npm package lighthouse is not installed';
  const results: Result[] = [];
  let problem = 'it gave no result';
  for (let run = 0; run < RUNS; run++) {
    try {
      const result = await lighthouse.default(url, { port: debuggingPort, onlyCategories: Object.keys(categories), logLevel: 'silent', output: 'json' });
      if (result?.lhr.runtimeError) problem = result.lhr.runtimeError.message;
      else if (result) results.push(result.lhr);
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
  }
  const performance = (result: Result): number => result.categories.performance?.score ?? 0;
  const median = results.sort((a, b) => performance(a) - performance(b))[Math.floor(results.length / 2)];
  return median ? scoresOf(median) : problem;
}

function scoresOf(result: Result): Scores {
  const scores = Object.entries(categories).map(([id, name]) => [name, Math.round((result.categories[id]?.score ?? Number.NaN) * 100)] as const);
  const weighed = Object.values(result.categories).flatMap(({ id, auditRefs }) => auditRefs.filter(({ weight }) => weight > 0).map((ref) => ({ id, ref })));
  const lost = weighed.flatMap(({ id, ref }) => {
    const { score, title, displayValue } = result.audits[ref.id] ?? {};
    return typeof score === 'number' && score < 0.9 ? [`${id}: ${title}${displayValue ? ` (${displayValue})` : ''}`] : [];
  });
  return { scores: Object.fromEntries(scores), lost };
}
