import type { SiteId } from '../../shared/model.ts';

/** The coordinator serves the widget's pages for sites that it knows only. */
export const siteFromAddress = (): SiteId => (new URLSearchParams(location.search).get('site') ?? '') as SiteId;
