/** Every cap in one place; the unit is the last word of the name. */
export const KIB = 1024;
export const MIB = 1024 * KIB;
export const SECOND_MS = 1000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

export const limits = {
  /** A `PartMask` is a signed 32-bit integer in JavaScript's bit operators; 30 keeps it positive. */
  partsPerTileMax: 30,
  tilesPerJobMax: 1_000_000,
  openJobsPerOwnerMax: 50,
  titleCharsMax: 80,
  /** How long a quote's price and promise hold. */
  quoteMsMax: 10 * MINUTE_MS,
  /** Times that one job may be ordered anew with more of it. */
  extensionsPerJobMax: 16,

  uploadBytesMax: 64 * MIB,
  uploadsPerOwnerHourMax: 100,
  unfinishedUploadsPerOwnerMax: 20,
  uploadMetadataCharsMax: 2000,
  /** An upload that brings nothing for so long is taken for dead. */
  uploadStallMsMax: 30 * SECOND_MS,
  /** Bytes that nothing refers to, such as an upload that no job has used, are deleted after this. */
  unusedBlobMsMax: DAY_MS,
  /** What a contributor may allow as a job's download, and what it allows when it says nothing. */
  downloadBytesMin: MIB,
  downloadBytesMax: 4096 * MIB,
  downloadBytesDefault: 256 * MIB,
  /** A download that brings nothing for so long is taken for dead. */
  downloadStallMsMax: 30 * SECOND_MS,
  resultBytesMax: 8 * MIB,
  /** Results up to this size travel inside the socket message, larger ones as a blob PUT. */
  inlineResultBytesMax: 32 * KIB,
  socketMessageBytesMax: 64 * KIB,
  jsonBodyBytesMax: 64 * KIB,
  nestingMax: 16,

  leaseDeadlineMsMin: 30 * SECOND_MS,
  leaseDeadlineMsMax: 5 * MINUTE_MS,
  /** How long a lease token alone is good for handing work in, also after a restart of the coordinator. */
  leaseTokenMsMax: 30 * MINUTE_MS,
  leasesPerContributorMax: 64,
  /** A contributor that lost its connection keeps its leases this long. */
  absenceGraceMsMax: 5 * SECOND_MS,

  targetErrorMin: 1e-6,
  targetErrorMax: 1e-2,
  /** Elements drawn of one result. */
  auditElementsMax: 8192,
  /** Of the coordinator's own CPU, for one result. */
  auditCpuMsMax: 500,
  /** Elements in one audit of a contributor. */
  packetElementsMax: 1024,
  /** Of its answer, which travels inside a message; an element of a workload that is audited has no more. */
  answerBytesMax: 48 * KIB,
  /** A committed result that is not opened within this is dropped; and within this after its contributor has gone. */
  openingMsMax: 2 * MINUTE_MS,
  openingAbsentMsMax: 30 * SECOND_MS,

  /** One check of a result on a thread of the coordinator, and how many may wait for one. */
  checkMsMax: MINUTE_MS,
  checkHeapMibMax: 2048,
  checksQueuedMax: 4096,
  /** Files of requesters that wait to be prepared, and as many to be assembled. */
  preparesQueuedMax: 64,
  prepareMsMax: 90 * SECOND_MS,
  prepareHeapMibMax: 4096,
  /** Of buffers beside the heap: pictures and packed scenes. */
  prepareBuffersMibMax: 4096,

  challengeMsMax: 5 * MINUTE_MS,
  sessionMsMax: 30 * DAY_MS,
  consentMsMax: 30 * DAY_MS,

  /** Standing ones; those that were revoked or have expired do not count. */
  apiKeysPerOwnerMax: 50,
  apiKeyNameCharsMax: 60,
  /** What a key may spend, in micro-credits: fits the database's integers with room for sums. */
  apiKeyBudgetDigitsMax: 18,

  /** How long an answer is kept for a request that is sent again. */
  idempotencyMsMax: DAY_MS,
  idempotencyKeyCharsMax: 255,

  /** Entries in one page of a list. */
  pageRowsMax: 100,
  pageRowsDefault: 50,
  /** Accepted results are small and many. */
  resultPageRowsMax: 1000,
  cursorCharsMax: 300,

  blockedRequestersMax: 200,

  groupNameCharsMax: 60,
  memberNameCharsMax: 40,
  /** That one owner may make, and be in. */
  groupsPerOwnerMax: 20,
  groupsPerMemberMax: 50,
  membersPerGroupMax: 500,
  /** Standing ones; those that were withdrawn or have expired do not count. */
  invitesPerGroupMax: 50,
  inviteDaysDefault: 7,
  inviteDaysMax: 30,

  /** Share of the GPU's time that a contributor may choose, and what a site's visitor gets proposed. */
  powerPercentMin: 5,
  powerPercentMax: 100,
  sitePowerPercentDefault: 50,
  testGrantMicroCredits: 100_000_000n,
  grantsPerAddressHourMax: 20,

  reportTextCharsMax: 500,
  reportsPerOwnerHourMax: 10,
  /** More of one job tell the operator nothing new. */
  openReportsPerJobMax: 20,
  /** Why the operator does something; requesters and the log get to read it. */
  operatorReasonCharsMax: 300,
  operatorLinkMsMax: 10 * MINUTE_MS,
  operatorSessionMsMax: 12 * HOUR_MS,
  /** Rows in one page of the operator's tables. */
  operatorRowsMax: 100,

  webhooksPerOwnerMax: 10,
  webhookUrlCharsMax: 500,
  /** Of one attempt, from the look-up of the name to the end of the answer. */
  webhookAttemptMsMax: 10 * SECOND_MS,
  /** Of an answer; the rest is not read. */
  webhookAnswerBytesMax: 4 * KIB,
  /** Attempts under way: in all, and at one host. */
  webhookAttemptsMax: 16,
  webhookAttemptsPerHostMax: 2,
  /** A delivery is tried again for so long. */
  webhookRetryMsMax: DAY_MS,
  /** A webhook is disabled after so many failures in a row, once they last so long: an outage of some hours disables none. */
  webhookFailuresMax: 20,
  webhookFailingMsMax: DAY_MS,
  webhookDeliveriesMsMax: 30 * DAY_MS,
  webhookTestsPerMinuteMax: 6,

  /** Server-sent events: streams that are open at a time. */
  eventStreamsMax: 2000,
  eventStreamsPerAddressMax: 16,
  eventStreamsPerOwnerMax: 16,
  /** Bytes that may wait for a reader, and for how long the reader of what there was before may take nothing. */
  eventStreamWaitingBytesMax: MIB,
  eventStreamStallMsMax: 30 * SECOND_MS,
  eventStreamHeartbeatMs: 15 * SECOND_MS,

  /** TCP connections at a time, of all kinds. */
  connectionsMax: 25_000,
  /** Of one address; a page that opens a finished job of thousands of tiles fetches each of them once. */
  requestsPerAddressMinuteMax: 12_000,
  /** A whole request: an upload over a slow line. Its headers alone, and a body of JSON, which is small, have to come sooner. */
  requestMsMax: 10 * MINUTE_MS,
  headersMsMax: 20 * SECOND_MS,
  jsonBodyMsMax: 20 * SECOND_MS,

  /** Sockets of engines and viewers: in all, and of one address, behind which an office may be. Loopback is this machine, or a proxy that says nothing. */
  socketsMax: 20_000,
  socketsPerAddressMax: 2000,
  /** Commands of one socket: so many a second, and at once. A busy engine sends a few a second. */
  socketMessagesPerSecondMax: 100,
  socketMessagesAtOnceMax: 400,
  /** See `many` in shared/schemas.ts. */
  commandsPerMessageMax: 32,
  /** Greetings of engines from one address; each is some reads of the database. */
  hellosPerAddressSecondMax: 100,
  hellosPerAddressAtOnceMax: 1000,
  /** Bytes that may wait for one socket that does not read. */
  socketWaitingBytesMax: 4 * MIB,
  /** Commands that wait for their commit, and the bytes they bring. */
  commandsWaitingMax: 65_536,
  commandsWaitingBytesMax: 64 * MIB,
  /** The mean delay of the event loop; where every one of five seconds in a row is beyond it, nothing new is begun. */
  eventLoopDelayMsMax: 1000,
  /** What a refusal may tell an engine to wait. */
  retryMsMax: MINUTE_MS,
  /** At the end of the process: what is under way may take so long. */
  drainMsMax: 20 * SECOND_MS,

  /** Device classes of fewer contributors are not named in public. */
  classMembersMin: 3,
  networkMinutesMsMax: DAY_MS,
  networkHoursMsMax: 30 * DAY_MS,
} as const;
