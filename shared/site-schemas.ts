import { type Static, Type } from 'typebox';
import type { SiteId } from './model.ts';

/** What crosses a wire about sites that embed the widget. Part of schemas.ts, which exports it. */

const closed = { additionalProperties: false } as const;
const text = (maxLength: number, minLength = 0) => Type.String({ minLength, maxLength });

export const siteId = Type.Unsafe<SiteId>(Type.String({ pattern: '^s_[A-Za-z0-9_-]{16}$' }));
const microCredits = Type.String({ pattern: '^-?[0-9]{1,30}$' });

export const siteRequest = Type.Object(
  {
    name: text(80, 1),
    /** Origin of the embedding pages, such as `https://museum.example`. */
    origin: Type.String({ pattern: '^https?://[a-z0-9.-]{1,253}(:[0-9]{1,5})?$' }),
    /** Percent of its visitors' earnings that the site gets, shown to visitors before they agree. */
    sharePercent: Type.Integer({ minimum: 0, maximum: 90 }),
  },
  closed,
);
export type SiteRequest = Static<typeof siteRequest>;
/** `unproven`: nobody has shown yet that the domain is the owner's. `off`: switched off by its owner. `suspended`: by the operator. */
const siteState = Type.Union([Type.Literal('ready'), Type.Literal('unproven'), Type.Literal('off'), Type.Literal('suspended')]);
export type SiteState = Static<typeof siteState>;
export const siteView = Type.Object({
  id: siteId,
  name: Type.String(),
  origin: Type.String(),
  sharePercent: Type.Integer(),
  state: siteState,
});
export type SiteView = Static<typeof siteView>;
/** What its owner sees. */
export const ownSiteView = Type.Object({
  ...siteView.properties,
  /** A line of the file at `proofUrl` proves the domain. */
  token: Type.String(),
  proofUrl: Type.String(),
  earnedMicroCredits: microCredits,
  /** The site's share of what its visitors have vesting. */
  vestingMicroCredits: microCredits,
  /** Contributors that agreed on it, and their accepted results. */
  visitors: Type.Integer(),
  tiles: Type.Integer(),
});
export type OwnSiteView = Static<typeof ownSiteView>;
export const siteSwitch = Type.Object({ on: Type.Boolean() }, closed);
