/** Models in this browser. The only door of the folder. */
import type { Extension } from '../../extensions.ts';
import { LocalModels } from './models.ts';
import { localSettings } from './settings.tsx';

export { joined } from './joined.ts';

/** The page's own. */
export const LOCAL_MODELS = new LocalModels();

/** Their section in the settings. */
export const localExtension = (): Extension => ({ name: 'local', Settings: localSettings(LOCAL_MODELS) });
