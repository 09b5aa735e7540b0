import { afterEach, describe, expect, it } from 'vitest';
import { closeWorlds, until, world } from './testing/world.ts';

afterEach(closeWorlds);

describe('what its owner prefers', () => {
  it('is said in hello, changed while connected, and said anew after a reconnection', async () => {
    const { engine, coordinator } = await world({}, {}, { preferences: { groupsOnly: true } });
    engine.start();
    await until(() => coordinator.hellos === 1, 'hello');
    expect(coordinator.greetings[0]?.preferences).toEqual({ groupsOnly: true });
    engine.setPreferences({ ownFirst: true, blocked: ['AAAAAAAAAAAA'] });
    await until(() => coordinator.preferences.length === 1, 'the coordinator to be told');
    expect(coordinator.preferences[0]).toEqual({ ownFirst: true, blocked: ['AAAAAAAAAAAA'] });
    coordinator.cut();
    await until(() => coordinator.hellos === 2, 'hello again');
    expect(coordinator.greetings[1]?.preferences).toEqual({ ownFirst: true, blocked: ['AAAAAAAAAAAA'] });
  });
});
