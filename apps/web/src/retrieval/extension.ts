/** Attached files as an extension of the chat: what fits a question goes out with it as numbered sources. */
import type { Extension, Outgoing } from '../extensions.ts';
import { attachedParts } from './attached.tsx';
import { Attachments } from './attachments.ts';
import { citedParts } from './cited.tsx';
import { grounded, sourceBudget } from './prompt.ts';
import { type Embed, fitting, passagesOf, search } from './search.ts';
import { NAME, type SourceNotes } from './sources.ts';
import './retrieval.css';

/** Tokens of a context whose size the server does not tell. */
const USUAL_CONTEXT = 4096;

/** Passages that are searched by meaning at most; more would keep a small machine busy for minutes. */
const MOST_EMBEDDED = 600;

export function filesExtension(attachments = new Attachments()): Extension {
  const { AttachButton, AttachedBar } = attachedParts(attachments);
  return {
    name: NAME,
    ComposerTop: AttachedBar,
    ComposerButton: AttachButton,
    BelowTurn: citedParts(attachments),
    beforeSend: async (outgoing) => {
      const files = await attachments.ready(outgoing.conversation);
      if (files.length === 0) return outgoing;
      const passages = files.flatMap(passagesOf);
      const embed = passages.length > MOST_EMBEDDED ? undefined : await embedOf(attachments, outgoing);
      const found = await search(outgoing.question, passages, embed);
      const budget = sourceBudget(await contextOf(outgoing), outgoing.messages);
      const sources = fitting(found.passages, budget);
      const onlyWords = embed ? found.onlyWords : `there are ${passages.length} passages.`;
      const notes: SourceNotes = { sources, ...(onlyWords === undefined ? {} : { onlyWords }) };
      return {
        ...outgoing,
        messages: sources.length > 0 ? grounded(outgoing.messages, sources) : outgoing.messages,
        notes: { ...outgoing.notes, [NAME]: notes },
      };
    },
  };
}

async function embedOf(attachments: Attachments, { provider, model, signal }: Outgoing): Promise<Embed> {
  const cached = await attachments.cached(`${provider.name}\n${model}`, (texts) =>
    provider.embed(model, texts, signal),
  );
  return (texts) => cached(texts);
}

async function contextOf({ provider, model, signal }: Outgoing): Promise<number> {
  const models = await provider.models(signal).catch(() => []);
  return models.find(({ id }) => id === model)?.contextSize ?? USUAL_CONTEXT;
}
