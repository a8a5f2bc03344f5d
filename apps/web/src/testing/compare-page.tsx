/** A page with nothing but the comparison, for its browser test. */
import '../styles/index.css';
import { render } from 'preact';
import { CompareState, CompareView } from '../compare/index.ts';
import { openAiProvider } from '../providers/openai.ts';

const provider = openAiProvider({ baseUrl: new URL('v1', document.baseURI).href, name: 'server' });
const state = new CompareState();
const root = document.getElementById('app');
provider.models().then((models) => {
  if (root)
    render(
      <CompareView
        state={state}
        sources={[{ provider, models }]}
        keep={(one) => console.log(`kept ${one.title}`)}
      />,
      root,
    );
});
