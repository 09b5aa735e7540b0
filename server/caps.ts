import { limits } from '../shared/limits.ts';

/** How often each cap of `shared/limits.ts` was hit in this process. `metrics.ts` tells it. */

export type LimitName = keyof typeof limits;

/** Why a cap has no counter: nothing that comes from outside runs into it. */
const uncounted = {
  downloadStallMsMax: 'the engine’s own: the coordinator downloads nothing',
  downloadBytesDefault: 'a default; an order above it is warned, not refused',
  unusedBlobMsMax: 'how long something is kept; nobody is refused',
  leaseDeadlineMsMin: 'bounds what the scheduler itself works out',
  leaseDeadlineMsMax: 'bounds what the scheduler itself works out; leases that run out are tessera_leases_total',
  absenceGraceMsMax: 'how long leases of somebody who left are kept; nobody is refused',
  auditElementsMax: 'bounds what the verifier itself draws',
  auditCpuMsMax: 'bounds what the verifier itself draws',
  packetElementsMax: 'bounds what the coordinator itself puts into an audit',
  answerBytesMax: 'bounds what the coordinator itself puts into an audit',
  openingMsMax: 'results that are not opened are tessera_results_total{state="discarded"}',
  openingAbsentMsMax: 'results that are not opened are tessera_results_total{state="discarded"}',
  sessionMsMax: 'an expired session is as none: nobody can tell them apart, and nothing is refused that a guest may do',
  operatorSessionMsMax: 'an expired session is as none',
  idempotencyMsMax: 'how long something is kept; nobody is refused',
  pageRowsDefault: 'a default',
  inviteDaysDefault: 'a default',
  sitePowerPercentDefault: 'a default',
  testGrantMicroCredits: 'an amount',
  operatorRowsMax: 'the length of a page; the next one has the rest',
  webhookAnswerBytesMax: 'the rest of an answer is not read; nothing is refused',
  webhookDeliveriesMsMax: 'how long something is kept; nobody is refused',
  eventStreamHeartbeatMs: 'an interval',
  classMembersMin: 'classes below it are not shown; nothing is refused',
  networkMinutesMsMax: 'how long something is kept; nobody is refused',
  networkHoursMsMax: 'how long something is kept; nobody is refused',
  webhookFailingMsMax: 'holds only together with webhookFailuresMax, which is counted',
  socketMessagesAtOnceMax: 'holds only together with socketMessagesPerSecondMax, which is counted',
  hellosPerAddressAtOnceMax: 'holds only together with hellosPerAddressSecondMax, which is counted',
  retryMsMax: 'bounds what the coordinator itself says',
} as const satisfies Partial<Readonly<Record<LimitName, string>>>;

/** A cap that something can run into. */
export type Cap = Exclude<LimitName, keyof typeof uncounted>;

export const reasons: Readonly<Partial<Record<LimitName, string>>> = uncounted;

const counts = new Map<Cap, number>(
  (Object.keys(limits) as LimitName[]).filter((name): name is Cap => !(name in uncounted)).map((cap): [Cap, number] => [cap, 0]),
);

/** How often each cap was hit since the process began. */
export const hits: ReadonlyMap<Cap, number> = counts;

export function hit(cap: Cap): void {
  counts.set(cap, (counts.get(cap) ?? 0) + 1);
}

/** For `throw atCap(…)`: counts the cap, and returns the refusal. */
export function atCap<E extends Error>(cap: Cap, refusal: E): E {
  hit(cap);
  return refusal;
}

/**
 * Caps that schemas state: refused before anybody is asked. The field's last name, and the number or pattern that it broke, tell which. The
 * names of keys and of groups have the same length and the same name: the command tells.
 */
const stated: readonly (readonly [cap: Cap, field: RegExp, more?: RegExp])[] = [
  ['partsPerTileMax', /^parts$/],
  ['titleCharsMax', /^title$/],
  ['downloadBytesMin', /^downloadBytesMax$/],
  ['downloadBytesMax', /^downloadBytesMax$/],
  ['leasesPerContributorMax', /^leasesMax$/],
  ['targetErrorMin', /^targetError$/],
  ['targetErrorMax', /^targetError$/],
  ['apiKeyNameCharsMax', /^name$/, /\/keys/],
  ['groupNameCharsMax', /^name$/, /\/groups/],
  ['memberNameCharsMax', /^name$/, /\/invites/],
  ['pageRowsMax', /^limit$/],
  ['resultPageRowsMax', /^limit$/],
  ['cursorCharsMax', /^cursor$/],
  ['blockedRequestersMax', /^blocked$/],
  ['inviteDaysMax', /^days$/],
  ['powerPercentMin', /^powerPercent$/],
  ['powerPercentMax', /^powerPercent$/],
  ['reportTextCharsMax', /^text$/],
  ['operatorReasonCharsMax', /^reason$/],
  ['webhookUrlCharsMax', /^url$/],
  ['commandsPerMessageMax', /^$/, /^many$/],
];

/** What a schema's refusal says; see `typebox/error`. */
interface Broken {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: object;
}

/** Counts the cap that a message broke, if it broke one. `where`: the route, or the command. */
export function hitStated({ keyword, instancePath, params }: Broken, where: string): void {
  const field = instancePath.split('/').at(-1) ?? '';
  if (keyword === 'pattern' && field === 'budgetMicroCredits') hit('apiKeyBudgetDigitsMax');
  const { limit } = params as { limit?: unknown };
  const isParts = (cap: Cap): boolean => cap === 'partsPerTileMax' && limit === 2 ** limits.partsPerTileMax - 1;
  const found = stated.find(([cap, name, at]) => name.test(field) && (limits[cap] === limit || isParts(cap)) && (at?.test(where) ?? true));
  if (found) hit(found[0]);
}
