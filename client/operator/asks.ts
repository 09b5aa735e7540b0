import type { JobId } from '../../shared/model.ts';
import { operatorApi } from '../net/operator-api.ts';
import { plural } from '../ui/format.ts';
import type { Asked } from './desk.svelte.ts';

/** Taking a job down, from wherever it is listed. `files`: how many were uploaded for it, where that is known. */
export const takeDown = (id: JobId, title: string, done: () => void, files?: number): Asked => ({
  title: `Take “${title}” down`,
  words: 'It is cancelled, credits that were not used go back, and nobody sees it any more. Its requester is told the reason.',
  verb: 'Take down',
  danger: true,
  ...(files !== 0 && {
    option: {
      label: 'Ban its files',
      help: 'The same files are refused from now on, and other jobs that use them are taken down too.',
      checked: files !== undefined,
    },
  }),
  act: async (reason, ban) => {
    const { jobs, banned } = await operatorApi.takeDown(id, ban, reason);
    return `Taken down: ${plural(jobs.length, 'job')}. Banned: ${plural(banned.length, 'file')}.`;
  },
  done,
});
