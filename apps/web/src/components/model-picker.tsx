/** Which model answers. A native list: it works with every keyboard and screen reader. */
import type { ModelInfo } from '../provider.ts';
import { useApp } from '../state/app.ts';

const nameOf = ({ id, fileType }: ModelInfo): string =>
  fileType && !id.toLowerCase().includes(fileType.toLowerCase()) ? `${id} · ${fileType}` : id;

export function ModelPicker() {
  const { chat, link } = useApp();
  const models = link.models.value;
  const { model } = chat.setup.value;
  const missing = model !== '' && !models.some(({ id }) => id === model);
  const nothing = link.reach.value === 'asking' ? 'Looking for models…' : 'No models';
  return (
    <select
      class="model-picker"
      aria-label="Model"
      value={model}
      disabled={models.length === 0}
      onChange={({ currentTarget }) => chat.choose({ model: currentTarget.value })}
    >
      {models.length === 0 && <option value={model}>{nothing}</option>}
      {models.length > 0 && missing && <option value={model}>{model} (not there)</option>}
      {models.map((info) => (
        <option key={info.id} value={info.id}>
          {nameOf(info)}
        </option>
      ))}
    </select>
  );
}
