/** Tabs of the same page tell each other that the conversations have changed. */

const CHANNEL = 'bitmill.saved';

let channel: BroadcastChannel | undefined;

/** @param onSaved another tab has kept something. */
export function followOtherTabs(onSaved: () => void): void {
  channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = onSaved;
}

export function tellOtherTabs(): void {
  channel?.postMessage('');
}
