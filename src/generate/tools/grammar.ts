/**
 * Grammars of calls: each tool's schema inside the frame of a format. They begin behind the opening marker, which is part
 * of the prompt where a call is forced.
 */
import {
  choice,
  type Expression,
  type Grammar,
  optional,
  type Rule,
  repeat,
  ruleOf,
  sequence,
  text,
} from '../grammar/expression.ts';
import { JSON_OBJECT, schemaGrammar } from '../grammar/schema/index.ts';
import type { CallFrame, Tool } from './types.ts';

/** The same expression over rules of other names. */
function renamed(expression: Expression, name: (rule: string) => string): Expression {
  const inner = (item: Expression): Expression => renamed(item, name);
  switch (expression.kind) {
    case 'rule':
      return ruleOf(name(expression.name));
    case 'sequence':
    case 'choice':
      return { ...expression, items: expression.items.map(inner) };
    case 'repeat':
    case 'shared':
      return { ...expression, item: inner(expression.item) };
    case 'graph': {
      const nodes = expression.nodes.map(({ ends, edges }) => ({
        ends,
        edges: edges.map(({ label, to }) => ({ label: inner(label), to })),
      }));
      return { kind: 'graph', nodes };
    }
    default:
      return expression;
  }
}

/** The rules of a tool's arguments under names of its own. @returns the name of the first. */
function addArguments(rules: Map<string, Rule>, tool: Tool, at: number): string {
  const { name, parameters } = tool.function;
  const isFree = parameters === undefined || parameters === null;
  const grammar = isFree ? JSON_OBJECT : schemaGrammar(parameters, `parameters of ${name}`).grammar;
  const own = (rule: string): string => `${at}:${rule}`;
  for (const [rule, { expression, ...rest }] of grammar.rules) {
    rules.set(own(rule), { ...rest, expression: renamed(expression, own) });
  }
  return own(grammar.root);
}

/**
 * One call or more of these tools.
 * @param several more than one may follow.
 * @throws input error: a schema that cannot be kept to, by tool and place.
 */
export function callGrammar(tools: readonly Tool[], frame: CallFrame, several: boolean): Grammar {
  const rules = new Map<string, Rule>();
  const calls = tools.map((tool, at) => {
    const head = `{"name": ${JSON.stringify(tool.function.name)}, "${frame.argumentsKey}": `;
    return sequence(text(head), ruleOf(addArguments(rules, tool, at)), text('}'));
  });
  rules.set('call', { expression: choice(...calls) });
  rules.set('root', { expression: framed(ruleOf('call'), frame, several) });
  return { name: 'tool call', rules, root: 'root' };
}

function framed(call: Expression, frame: CallFrame, several: boolean): Expression {
  const { opens, close, isList, space } = frame;
  const more = several ? Number.POSITIVE_INFINITY : 0;
  if (isList) {
    const list = sequence(text('['), call, repeat(sequence(text(', '), call), 0, more), text(']'));
    return sequence(optional(text(space)), list, text(close ? space + close : ''));
  }
  // Without a closing marker the call is the answer.
  if (close === undefined) return sequence(text(space), call);
  const body = sequence(text(space), call, text(space + close));
  return sequence(body, repeat(sequence(text(`\n${opens[0]}`), body), 0, more));
}
