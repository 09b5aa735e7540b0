import { workload, workloadIds } from '../../shaders/registry.ts';

/** What a job is, in words: the title of its workload. Empty where there is only one, so that nobody needs to be told. */
export const kindOf = ({ workload: id }: { readonly workload: string }): string => (workloadIds.length > 1 ? (workload(id)?.spec.title ?? '') : '');
