import { describe, expect, it } from 'vitest';
import { SendWindow } from './send-window.ts';

interface Line {
  readonly tripMs: number;
  /** How long one message occupies the line. */
  readonly messageMs: number;
}

/** Sends over a line in virtual time, with always more to send. Returns what became of it: messages a second, and how long the last ones took. */
function send(window: SendWindow, { tripMs, messageMs }: Line, messages: number): { perS: number; tookMs: number } {
  const flying: { sentMs: number; doneMs: number }[] = [];
  let [now, freeMs, tookMs] = [0, 0, 0];
  for (let done = 0; done < messages; done++) {
    while (flying.length < window.size) {
      freeMs = Math.max(now, freeMs) + messageMs;
      flying.push({ sentMs: now, doneMs: freeMs + tripMs });
    }
    const { sentMs, doneMs } = flying.shift()!;
    now = doneMs;
    tookMs = doneMs - sentMs;
    window.acknowledged(sentMs, now, flying.length + 1 >= window.size);
  }
  return { perS: (messages * 1000) / now, tookMs };
}

describe('the window of messages on their way', () => {
  it('grows until a long line is full', () => {
    const { perS } = send(new SendWindow(), { tripMs: 300, messageMs: 10 }, 2000);
    // Six at a time would be 19.
    expect(perS).toBeGreaterThan(90);
  });

  it('shrinks on a narrow line, where more would only wait', () => {
    const { perS, tookMs } = send(new SendWindow(), { tripMs: 40, messageMs: 400 }, 400);
    expect(perS).toBeGreaterThan(2.4);
    // All 32 would take 12.8 s. What is late is heard of late: 3 s become six at most.
    expect(tookMs).toBeLessThan(6000);
  });

  it('does not grow while there is nothing more to send', () => {
    const window = new SendWindow();
    const { size } = window;
    for (let at = 0; at < 100; at++) window.acknowledged(at * 50, at * 50 + 20, false);
    expect(window.size).toBe(size);
  });

  it('shrinks once for what is late together, and never below two', () => {
    const window = new SendWindow();
    window.acknowledged(0, 20, false);
    for (let item = 0; item < 6; item++) window.acknowledged(100, 5000 + item, true);
    expect(window.size).toBe(4);
    for (let at = 6000; at < 60_000; at += 3000) window.acknowledged(at, at + 2500, true);
    expect(window.size).toBe(2);
  });

  it('gets used to a line that has become longer', () => {
    const window = new SendWindow();
    send(window, { tripMs: 20, messageMs: 5 }, 200);
    send(window, { tripMs: 900, messageMs: 5 }, 400);
    expect(window.size).toBeGreaterThan(20);
  });
});
