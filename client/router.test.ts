import { describe, expect, it } from 'vitest';
import { isPageClick, parseRoute } from './router.svelte.ts';

describe('parseRoute', () => {
  it.each([
    ['/', 'contribute'],
    ['/submit', 'submit'],
    ['/submit/', 'submit'],
    ['/gallery', 'gallery'],
    ['/account', 'account'],
    ['/groups', 'groups'],
    ['/join', 'join'],
    ['/network', 'network'],
    ['/operator', 'operator'],
    ['/policy', 'policy'],
    ['/ui', 'ui'],
    ['/nowhere', 'missing'],
    ['/jobs', 'missing'],
    ['/jobs/short', 'missing'],
    ['/constructor', 'missing'],
  ])('%s is %s', (path, page) => {
    expect(parseRoute(path).page).toBe(page);
  });

  it('takes the job from its address', () => {
    expect(parseRoute('/jobs/j_AAAAAAAAAAAAAAA-')).toEqual({ page: 'watch', job: 'j_AAAAAAAAAAAAAAA-' });
    expect(parseRoute('/jobs/j_AAAAAAAAAAAAAAA-/receipt/')).toEqual({ page: 'receipt', job: 'j_AAAAAAAAAAAAAAA-' });
    expect(parseRoute('/jobs/j_AAAAAAAAAAAAAAA-/wall')).toEqual({ page: 'wall', job: 'j_AAAAAAAAAAAAAAA-' });
    expect(parseRoute('/jobs/j_AAAAAAAAAAAAAAA-/receipts').page).toBe('missing');
  });
});

describe('isPageClick', () => {
  const origin = 'https://tessera.example';
  const click = (over: object = {}) =>
    ({ button: 0, defaultPrevented: false, metaKey: false, ctrlKey: false, shiftKey: false, altKey: false, ...over }) as MouseEvent;
  const link = (href: string, target = '', download = false) => ({ href, target, hasAttribute: () => download }) as unknown as HTMLAnchorElement;

  it('takes plain clicks on pages of ours', () => {
    expect(isPageClick(click(), link(`${origin}/gallery`), origin)).toBe(true);
  });

  it('leaves new tabs, other sites, downloads and files to the browser', () => {
    expect(isPageClick(click({ ctrlKey: true }), link(`${origin}/gallery`), origin)).toBe(false);
    expect(isPageClick(click({ button: 1 }), link(`${origin}/gallery`), origin)).toBe(false);
    expect(isPageClick(click(), link('https://other.example/gallery'), origin)).toBe(false);
    expect(isPageClick(click(), link(`${origin}/`, '_self'), origin)).toBe(false);
    expect(isPageClick(click(), link(`${origin}/submit`, '', true), origin)).toBe(false);
    expect(isPageClick(click(), link(`${origin}/api/jobs/j_AAAAAAAAAAAAAAAA/files/png`), origin)).toBe(false);
  });
});
