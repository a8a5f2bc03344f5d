/** In the settings: a model from a file or an address, to run in this browser with no server at all. */
import { useSignal } from '@preact/signals';
import { useId, useRef } from 'preact/hooks';
import { adoptModel, useApp } from '../../state/app.ts';
import type { LocalModels } from './models.ts';
import type { ModelSource } from './protocol.ts';
import { usableThreads } from './spawn.ts';

interface OpenerProps {
  readonly isBusy: boolean;
  readonly open: (source: ModelSource) => Promise<void>;
}

/** Shards are picked together; their names put them in order. */
function FileOpener({ isBusy, open, hintId }: OpenerProps & { readonly hintId: string }) {
  const picker = useRef<HTMLInputElement>(null);
  return (
    <>
      <button
        type="button"
        class="button"
        disabled={isBusy}
        aria-describedby={hintId}
        onClick={() => picker.current?.click()}
      >
        Open a GGUF file…
      </button>
      <input
        ref={picker}
        type="file"
        accept=".gguf"
        multiple
        hidden
        aria-label="GGUF file"
        onChange={({ currentTarget }) => {
          const files = [...(currentTarget.files ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
          currentTarget.value = '';
          if (files.length > 0) void open({ kind: 'files', files });
        }}
      />
    </>
  );
}

function AddressOpener({ isBusy, open }: OpenerProps) {
  const id = useId();
  const url = useSignal('');
  return (
    <form
      class="row"
      onSubmit={(event) => {
        event.preventDefault();
        if (url.value.trim() !== '') void open({ kind: 'url', url: url.value.trim() });
      }}
    >
      <label class="field wide" for={id}>
        Or its address
        <input
          id={id}
          type="url"
          placeholder="https://…/model-Q4_K_M.gguf"
          value={url.value}
          onInput={({ currentTarget }) => {
            url.value = currentTarget.value;
          }}
        />
      </label>
      <button type="submit" class="button" disabled={isBusy || url.value.trim() === ''}>
        Open
      </button>
    </form>
  );
}

function threadsText(threads: number): string {
  return threads === 1 ? 'one thread, as this page may not share memory' : `${threads} threads`;
}

export function localSettings(models: LocalModels) {
  return function LocalSettings() {
    const { link, chat } = useApp();
    const problem = useSignal('');
    const hintId = useId();
    const open = async (source: ModelSource) => {
      problem.value = '';
      try {
        const { id } = await models.open(source);
        await link.refresh();
        chat.choose({ model: id });
      } catch (error) {
        problem.value = error instanceof Error ? error.message : String(error);
      }
    };
    const close = async (id: string) => {
      models.close(id);
      await link.refresh();
      adoptModel(chat, link);
    };
    const busy = models.busy.value;
    return (
      <section class="section" aria-label="A model in this browser">
        <h3>A model in this browser</h3>
        <p class="hint" id={hintId}>
          A GGUF file is read and run here; nothing leaves this machine. It computes on{' '}
          {threadsText(usableThreads())}.
        </p>
        <div class="row">
          <FileOpener isBusy={busy !== ''} open={open} hintId={hintId} />
          <p class="quiet" role="status">
            {busy}
          </p>
        </div>
        <AddressOpener isBusy={busy !== ''} open={open} />
        {problem.value && (
          <p class="failure" role="alert">
            {problem.value}
          </p>
        )}
        {models.list.value.map(({ info }) => (
          <p key={info.id} class="row">
            {info.id}
            <button type="button" class="text-button" onClick={() => void close(info.id)}>
              Close<span class="offscreen"> {info.id}</span>
            </button>
          </p>
        ))}
      </section>
    );
  };
}
