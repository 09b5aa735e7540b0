import { toBase64Url } from '../shared/formats.ts';
import type { ApiKeyId, ConsentId, ContributorId, GroupId, JobId, OwnerId, QuoteId, ResultId, SiteId } from '../shared/model.ts';

type RandomBytes = (length: number) => Uint8Array;

/** 96 random bits: ids are guessed by nobody and name their kind in a log. */
const suffix = (random: RandomBytes): string => toBase64Url(random(12));

export const newJobId = (random: RandomBytes): JobId => `j_${suffix(random)}` as JobId;
export const newContributorId = (random: RandomBytes): ContributorId => `c_${suffix(random)}` as ContributorId;
/** The characters of ids in the order in which databases sort them. */
const SORTED = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz';
const TIME_CHARS = 8;

/**
 * Results come by the thousand a second, and their transfers after them: ids that begin with their time (48 bits of milliseconds) lie side by side in
 * an index, where random ones would dirty a page each. 48 random bits follow; what they name is behind the id of its job.
 */
export function newResultId(random: RandomBytes, atMs: number): ResultId {
  let time = '';
  for (let rest = atMs, char = 0; char < TIME_CHARS; char++, rest = Math.floor(rest / 64)) time = SORTED[rest % 64] + time;
  return `r_${time}${toBase64Url(random(6))}` as ResultId;
}
export const newConsentId = (random: RandomBytes): ConsentId => `k_${suffix(random)}` as ConsentId;
export const newSiteId = (random: RandomBytes): SiteId => `s_${suffix(random)}` as SiteId;
export const newGroupId = (random: RandomBytes): GroupId => `g_${suffix(random)}` as GroupId;
export const newMemberId = (random: RandomBytes): string => `m_${suffix(random)}`;
export const newInviteId = (random: RandomBytes): string => `i_${suffix(random)}`;
export const newUploadId = (random: RandomBytes): string => `u_${suffix(random)}`;
export const newQuoteId = (random: RandomBytes): QuoteId => `q_${suffix(random)}` as QuoteId;
export const newReportId = (random: RandomBytes): string => `rp_${suffix(random)}`;
export const newWebhookId = (random: RandomBytes): string => `wh_${suffix(random)}`;
export const newOperatorSessionId = (random: RandomBytes): string => `op_${suffix(random)}`;
export const newWithdrawalId = (random: RandomBytes): string => `w_${suffix(random)}`;
export const newApiKeyId = (random: RandomBytes): ApiKeyId => `tk_${suffix(random)}` as ApiKeyId;
export const newDeviceOwner = (random: RandomBytes): OwnerId => `device:${suffix(random)}` as OwnerId;
export const newGoneOwner = (random: RandomBytes): OwnerId => `gone:${suffix(random)}` as OwnerId;
export const walletOwner = (address: string): OwnerId => `wallet:${address}` as OwnerId;
