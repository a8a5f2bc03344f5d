/** What the page can show, a line each; the switch in the header is made of it. */
import type { ComponentType } from 'preact';
import { ComparePage } from './compare/index.ts';
import { ChatView } from './components/chat-view.tsx';

export interface View {
  readonly label: string;
  readonly Component: ComponentType;
  /** The model in the head of the page is the one that answers here. */
  readonly picksModel: boolean;
}

export const VIEWS = {
  chat: { label: 'Chat', Component: ChatView, picksModel: true },
  compare: { label: 'Compare', Component: ComparePage, picksModel: false },
} satisfies Record<string, View>;

export type ViewName = keyof typeof VIEWS;
