import type { Gltf } from './gltfSchema.ts';

/** Which nodes animations move, and what no animation here can do: from the JSON alone. */

/** Frame i shows the second (firstFrame + i) / framesPerSecond. */
export interface Timeline {
  readonly frames: number;
  readonly firstFrame: number;
  readonly framesPerSecond: number;
}

export type Path = 'translation' | 'rotation' | 'scale';
export const isPath = (path: string): path is Path => path === 'translation' || path === 'rotation' || path === 'scale';

/** Nodes whose place an animation changes. */
export function animatedNodes(gltf: Gltf): Set<number> {
  const found = new Set<number>();
  for (const { channels } of gltf.animations ?? [])
    for (const { target } of channels) if (target.node !== undefined && isPath(target.path) && !gltf.nodes![target.node]!.matrix) found.add(target.node);
  return found;
}

/** What no animation here can do, in sentences. */
export function ignoredAnimations(gltf: Gltf, timeline: Timeline | undefined): string[] {
  const channels = (gltf.animations ?? []).flatMap((animation) => animation.channels);
  const animated = animatedNodes(gltf);
  const paths = new Set<string>();
  let [weights, others, fixed, twice] = [0, 0, 0, 0];
  for (const { target } of channels) {
    if (target.path === 'weights') weights++;
    else if (!isPath(target.path)) others++;
    else if (target.node !== undefined && !animated.has(target.node)) fixed++;
    else if (target.node !== undefined && paths.has(`${target.node} ${target.path}`)) twice++;
    if (target.node !== undefined) paths.add(`${target.node} ${target.path}`);
  }
  const found: readonly (readonly [number, string])[] = [
    [timeline ? 0 : (gltf.animations?.length ?? 0), 'Animations were ignored: the file’s rest pose is rendered'],
    [weights, 'Animations of morph targets (weights) were ignored'],
    [others, 'Animations of something else than translation, rotation and scale were ignored'],
    [fixed, 'Animations of nodes that are placed by a matrix were ignored'],
    [twice, 'Several animations move the same nodes: the last one counts'],
  ];
  const report = found.filter(([times]) => times > 0).map(([times, sentence]) => `${sentence} (${times}).`);
  if (timeline && timeline.frames > 1 && animated.size === 0) report.push(`Nothing in the file moves: all ${timeline.frames} frames show the same.`);
  return report;
}
