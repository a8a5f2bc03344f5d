/** Settings: what is kept where, and what spoiled storage does. */
import { expect, test } from 'vitest';
import { type KeyValue, openSettings } from './settings.ts';

function storage(values: Record<string, string> = {}) {
  const kept = new Map(Object.entries(values));
  const store: KeyValue = {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
  return { store, text: () => [...kept.values()].join() };
}

test('the key stays in the session unless it is asked to stay', () => {
  const [local, session] = [storage(), storage()];
  const settings = openSettings(local.store, session.store);
  settings.connection.value = { baseUrl: 'http://host/v1', apiKey: 'secret', keepKey: false };
  expect(local.text()).not.toContain('secret');
  expect(openSettings(local.store, session.store).connection.value.apiKey).toBe('secret');
  expect(openSettings(local.store, storage().store).connection.value).toEqual({
    baseUrl: 'http://host/v1',
    apiKey: '',
    keepKey: false,
  });
  settings.connection.value = { ...settings.connection.value, keepKey: true };
  expect(session.text()).not.toContain('secret');
  expect(openSettings(local.store, storage().store).connection.value.apiKey).toBe('secret');
});

test('theme and parameters come back', () => {
  const local = storage();
  const settings = openSettings(local.store, storage().store);
  settings.theme.value = 'dark';
  settings.lastSetup.value = { model: 'tiny', system: 'x', parameters: { top_k: 4 } };
  const again = openSettings(local.store, storage().store);
  expect(again.theme.value).toBe('dark');
  expect(again.lastSetup.value).toEqual({ model: 'tiny', system: '', parameters: { top_k: 4 } });
});

test('spoiled storage is as none', () => {
  const spoiled = storage({ 'bitmill.theme': '{', 'bitmill.setup': '"x"', 'bitmill.connection': 'null' });
  const settings = openSettings(spoiled.store, storage().store);
  expect(settings.theme.value).toBe('system');
  expect(settings.lastSetup.value.model).toBe('');
  expect(settings.connection.value.baseUrl).toBe('');
});

test('a storage that takes nothing is no failure', () => {
  const full: KeyValue = {
    getItem: () => null,
    setItem: () => {
      throw new Error('quota');
    },
    removeItem: () => undefined,
  };
  expect(openSettings(full, full).theme.value).toBe('system');
});
