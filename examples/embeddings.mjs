// @ts-check
/**
 * Which of these texts is nearest to a question? Vectors of unit length, so their product is the cosine. A model that was
 * trained to chat only is no good judge; one that was trained for embeddings is.
 * node examples/embeddings.mjs [model]
 */
import { pipeline } from 'bitmill';

const extractor = await pipeline('feature-extraction', process.argv[2] ?? 'phi3-tiny', { context_size: 512 });

const question = 'What is the capital of Italy?';
const texts = ['The sun is very hot.', 'Paris is the capital of France.', 'A boy named Tim had a dog.'];
const [asked, ...vectors] = (
  await extractor([question, ...texts], { pooling: 'mean', normalize: true })
).tolist();

const ranked = texts
  .map((text, i) => ({ text, cosine: vectors[i].reduce((sum, value, k) => sum + value * asked[k], 0) }))
  .sort((a, b) => b.cosine - a.cosine);
for (const { text, cosine } of ranked) console.log(cosine.toFixed(3), text);

await extractor.dispose();
