import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTinyModel } from '../../test/tiny-models.ts';
import { referenceBackend } from '../backends/index.ts';
import { Engine, PrefixSession, Session } from './index.ts';

const ids = (...list: number[]) => Int32Array.from(list);

describe('a session that knows its prefix', () => {
  let engine: Engine;
  let session: Session;
  let plain: Session;
  beforeAll(async () => {
    const backend = referenceBackend();
    engine = await Engine.open(await openTinyModel('phi3-gqa-window'), { backend, contextSize: 40 });
    session = await Session.open(engine);
    plain = await Session.open(engine);
  });
  afterAll(() => {
    session.close();
    plain.close();
    engine.close();
  });

  it('has the logits of a session that is fed everything, to the last bit', async () => {
    const prefix = new PrefixSession(session);
    const sequences = [
      [1, 70, 65, 12, 9, 30],
      [1, 70, 65, 12, 9, 30, 31, 32, 33], // goes on
      [1, 70, 65, 44, 9, 30, 31], // differs in the middle
      [1, 70], // is a beginning
      [5, 6, 7, 8], // has nothing in common
      [5, 6, 7, 8], // is the same
    ];
    const reused: number[] = [];
    for (const sequence of sequences) {
      const kept = prefix.reuse(ids(...sequence));
      reused.push(kept);
      const logits = await prefix.feed(ids(...sequence.slice(kept)));
      plain.rewind(0);
      expect(logits).toEqual(await plain.feed(ids(...sequence)));
      expect(prefix.position).toBe(sequence.length);
    }
    expect(reused).toEqual([0, 6, 3, 1, 0, 3]);
  });
});

describe('a session that fails in the middle', () => {
  it('forgets what was fed of the call that failed', async () => {
    const session = {
      position: 3,
      contextSize: 9,
      rewind(position: number) {
        session.position = Math.min(position, session.position);
      },
      async feed(tokens: Int32Array) {
        session.position += tokens.length;
        if (tokens.includes(99)) throw new Error('broken');
        return new Float32Array();
      },
    };
    const prefix = new PrefixSession(session);
    expect(session.position).toBe(0);
    await prefix.feed(ids(1, 2));
    await expect(prefix.feed(ids(3, 99))).rejects.toThrow('broken');
    expect([session.position, prefix.position, prefix.reuse(ids(1, 2, 3))]).toEqual([2, 2, 2]);
  });
});
