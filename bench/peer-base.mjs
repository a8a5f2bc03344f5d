/** llama.cpp as the base of a measurement: its logits of every window, as they come, instead of a file. */
import { bytesOf } from '../dist/backends/index.js';
import { GraphBuilder } from '../dist/graph/index.js';

/**
 * A KL base as `measure` takes it.
 * @param peer an open llama.cpp model. @param windows what it is asked, one sequence each.
 */
export function peerBase(peer, windows) {
  const vocabulary = peer.vocabSize;
  return {
    name: 'llama.cpp',
    form: 'llama.cpp',
    vocabulary,
    windows: windows.length,
    feedBytes: (rows) => 4 * rows * vocabulary,
    feed: async (backend, rows) => {
      const graph = new GraphBuilder('divergence');
      const [logits, base] = ['logits', 'base'].map((name) => graph.input(name, 'S', vocabulary));
      graph.output('scores', graph.divergence(logits, base, graph.input('targets', 'S', 1, 'i32')));
      const buffer = backend.alloc(4 * rows * vocabulary, 'base');
      return {
        program: backend.compile(graph.build()),
        load: async (window, { from, to }) => {
          const all = peer.logits(windows[window].input);
          backend.write(buffer, 0, bytesOf(all.subarray(from * vocabulary, to * vocabulary)));
          return { bind: new Map([['base', buffer]]) };
        },
        close: () => backend.free(buffer),
      };
    },
  };
}
