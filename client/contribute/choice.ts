import { limits } from '../../shared/limits.ts';
import type { JobId } from '../../shared/model.ts';
import type { Preferences } from '../../shared/schemas.ts';

/** Whose jobs and which kinds: chosen by the owner of this browser, and remembered by it. */
const KEY = 'tessera.choices';

/** Nothing more is computed for this requester. */
export interface Blocked {
  /** `JobBrief.requester`: opaque, and the same for all of its jobs. */
  readonly requester: string;
  /** The job that it was blocked at, so that people know it again. */
  readonly title: string;
}

export interface Choices {
  /** Workloads that are wanted; null: all that were agreed to. */
  readonly kinds: readonly string[] | null;
  readonly groupsOnly: boolean;
  readonly ownFirst: boolean;
  /** Oldest first. */
  readonly blocked: readonly Blocked[];
}

export const defaultChoices: Choices = { kinds: null, groupsOnly: false, ownFirst: true, blocked: [] };

/** What the coordinator is told. `job`: one that comes before all others. */
export const preferencesOf = ({ kinds, groupsOnly, ownFirst, blocked }: Choices, job: JobId | null = null): Preferences => ({
  ...(kinds && { kinds: [...kinds] }),
  ...(job !== null && { job }),
  groupsOnly,
  ownFirst,
  blocked: blocked.map(({ requester }) => requester),
});

/** With a requester blocked; the oldest is forgotten when there are too many. */
export const withBlocked = (choices: Choices, blocked: Blocked): Choices => ({
  ...choices,
  blocked: [...choices.blocked.filter(({ requester }) => requester !== blocked.requester), blocked].slice(-limits.blockedRequestersMax),
});

export const withoutBlocked = (choices: Choices, requester: string): Choices => ({
  ...choices,
  blocked: choices.blocked.filter((one) => one.requester !== requester),
});

const isBlocked = (value: unknown): value is Blocked =>
  typeof value === 'object' &&
  value !== null &&
  /^[A-Za-z0-9_-]{12}$/.test(String((value as Blocked).requester)) &&
  typeof (value as Blocked).title === 'string';

/** What was stored, as far as it makes sense: other versions of this page, and people, write there too. */
function readChoices(stored: unknown): Choices {
  if (typeof stored !== 'object' || stored === null) return defaultChoices;
  const { kinds, groupsOnly, ownFirst, blocked } = stored as Record<keyof Choices, unknown>;
  const isKinds = Array.isArray(kinds) && kinds.length <= 16 && kinds.every((kind) => typeof kind === 'string' && kind.length >= 1 && kind.length <= 40);
  return {
    kinds: isKinds ? kinds : null,
    groupsOnly: groupsOnly === true,
    ownFirst: ownFirst !== false,
    blocked: Array.isArray(blocked) ? blocked.filter(isBlocked).slice(-limits.blockedRequestersMax) : [],
  };
}

export function rememberedChoices(): Choices {
  try {
    return readChoices(JSON.parse(localStorage.getItem(KEY) ?? 'null'));
  } catch {
    // Storage is switched off or holds something else: the defaults hold.
    return defaultChoices;
  }
}

export function rememberChoices(choices: Choices): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(choices));
  } catch {
    // As above: a choice lasts for as long as the page is open.
  }
}
