// @ts-check
/**
 * Answers that are JSON of a schema, whatever the model would rather say.
 * node examples/json-schema.mjs [model]
 */
import { pipeline } from 'bitmill';

const generator = await pipeline('text-generation', process.argv[2] ?? 'phi3-tiny');

const schema = {
  type: 'object',
  properties: {
    city: { type: 'string', maxLength: 20 },
    country: { enum: ['France', 'Italy', 'Spain'] },
    capital: { type: 'boolean' },
  },
  required: ['city', 'country', 'capital'],
  additionalProperties: false,
};
const [{ generated_text }] = await generator([{ role: 'user', content: 'Tell me about Paris.' }], {
  return_full_text: false,
  response_format: { type: 'json_schema', json_schema: { name: 'city', schema, strict: true } },
});
const { city, country, capital } = JSON.parse(generated_text);
console.log({ city, country, capital });

await generator.dispose();
