/** Lighthouse's categories and what they are called here. */
const categories = { performance: 'lighthouse_performance', accessibility: 'lighthouse_accessibility', 'best-practices': 'lighthouse_best_practices' } as const;

/**
 * Lighthouse on a page, as a simulated phone, which is its default: scores of 0 to 100, and the audits that cost points. A string says why
 * there are none: not installed, or it does not run here.
 */
export async function lighthouseScores(
  url: string,
  debuggingPort: number,
): Promise<{ readonly scores: Readonly<Record<string, number>>; readonly lost: readonly string[] } | string> {
  const lighthouse = await import('lighthouse').catch(() => null);
  if (!lighthouse) return 'the npm package lighthouse is not installed';
  try {
    const result = await lighthouse.default(url, { port: debuggingPort, onlyCategories: Object.keys(categories), logLevel: 'silent', output: 'json' });
    if (!result) return 'it gave no result';
    const { lhr } = result;
    if (lhr.runtimeError) return lhr.runtimeError.message;
    const scores = Object.entries(categories).map(([id, name]) => [name, Math.round((lhr.categories[id]?.score ?? Number.NaN) * 100)] as const);
    const weighed = Object.values(lhr.categories).flatMap(({ id, auditRefs }) => auditRefs.filter(({ weight }) => weight > 0).map((ref) => ({ id, ref })));
    const lost = weighed.flatMap(({ id, ref }) => {
      const { score, title, displayValue } = lhr.audits[ref.id] ?? {};
      return typeof score === 'number' && score < 0.9 ? [`${id}: ${title}${displayValue ? ` (${displayValue})` : ''}`] : [];
    });
    return { scores: Object.fromEntries(scores), lost };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
