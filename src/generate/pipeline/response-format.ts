/** What an answer must look like, as OpenAI's API says it: a grammar that the tokens follow. */
import { usageError } from '../../core/index.ts';
import { type Grammar, GrammarCache, JSON_OBJECT, schemaGrammar } from '../grammar/index.ts';

export type ResponseFormat =
  | { readonly type: 'text' }
  | { readonly type: 'json_object' }
  | {
      readonly type: 'json_schema';
      readonly json_schema: {
        readonly name?: string;
        readonly description?: string;
        /** A JSON schema, as JSON.parse gives it. */
        readonly schema: unknown;
        /** What of the schema cannot be kept to is refused; otherwise it is warned of. */
        readonly strict?: boolean | null;
      };
    };

type SchemaFormat = Extract<ResponseFormat, { type: 'json_schema' }>['json_schema'];

export class ResponseGrammars {
  readonly #known = new GrammarCache();
  readonly #warn: (message: string) => void;

  /** @param warn hears what of a schema is not kept to. */
  constructor(warn: (message: string) => void) {
    this.#warn = warn;
  }

  /**
   * Undefined: free text.
   * @throws usage error: no such type; input error: a schema that cannot be followed, by its place.
   */
  of(format: ResponseFormat | null | undefined): Grammar | undefined {
    const type: unknown = format?.type;
    if (!format || type === 'text') return undefined;
    if (format.type === 'json_object') return JSON_OBJECT;
    if (format.type === 'json_schema' && format.json_schema?.schema !== undefined) {
      return this.#ofSchema(format.json_schema);
    }
    throw usageError(
      `response_format: type is ${JSON.stringify(type)}${type === 'json_schema' ? ' without json_schema.schema' : ''}`,
      'text, json_object and json_schema (with json_schema.schema) are allowed',
    );
  }

  #ofSchema({ name = 'schema', schema, strict }: SchemaFormat): Grammar {
    return this.#known.get(JSON.stringify([name, schema, strict === true]), () => {
      const { grammar, warnings } = schemaGrammar(schema, name);
      if (strict && warnings.length > 0) {
        throw usageError(
          `response_format: strict, but ${warnings.join('; ')}`,
          'leave strict out, or change the schema',
        );
      }
      for (const warning of warnings) this.#warn(warning);
      return grammar;
    });
  }
}
