/** What a site pastes into its page. The picture is empty: it keeps the card's place, without a style that a strict page would refuse. */
export const snippetOf = (origin: string, site: string): string =>
  `<script src="${origin}/widget.js" async></script>\n<tessera-widget site="${site}"><svg width="320" height="96"></svg></tessera-widget>`;
