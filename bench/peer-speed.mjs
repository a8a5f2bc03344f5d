/**
 * llama.cpp's tokens a second of one model, as JSON on stdout: the same tokens' worth of work as `bitmill bench`, in a
 * process of its own so that its peak memory is its own.
 *
 *   node bench/peer-speed.mjs MODEL.gguf THREADS PROMPT GENERATE DEPTH REPS
 */
import { loadOracle } from './oracle.mjs';

const [model, ...numbers] = process.argv.slice(2);
const [threads, prompt, gen, depth, reps] = numbers.map(Number);
const { Peer } = await loadOracle('llama.mjs');
const peer = Peer.open(model, { threads, nCtx: Math.max(depth + Math.max(prompt, gen), 64) });
const { promptTokensPerSecond, genTokensPerSecond } = peer.bench({ prompt, gen, depth, reps });
console.log(
  JSON.stringify({
    prompt_tps: promptTokensPerSecond,
    gen_tps: genTokensPerSecond,
    peak_rss: 1024 * process.resourceUsage().maxRSS,
  }),
);
peer.close();
