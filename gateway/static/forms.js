// Forms that answer in place:
// - `data-filter`: asks as one types, and the address follows, so that a link shows the same;
// - `data-swap`: is sent, and the parts of the page that come back are shown where they are;
// - `data-confirm`: asks first.
import { load, say } from './page.js';

const PATIENCE = 150;

export function forms() {
  document.addEventListener('input', filterAsTyped);
  document.addEventListener('submit', send);
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    const form = event.target.closest?.('form');
    if (!form) return;
    event.preventDefault();
    form.requestSubmit();
  });
}

let waiting;

function filterAsTyped(event) {
  const form = event.target.closest?.('form[data-filter]');
  if (!form) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => filter(form), PATIENCE);
}

async function filter(form) {
  const wanted = new URLSearchParams(new FormData(form));
  for (const [name, value] of [...wanted]) if (value === '') wanted.delete(name);
  const address = wanted.size > 0 ? `${form.getAttribute('action') ?? location.pathname}?${wanted}` : location.pathname;
  history.replaceState(null, '', address);
  try {
    await load(address, { all: true });
  } catch {
    // It is still a form: Enter sends it.
  }
}

async function send(event) {
  const form = event.target;
  const question = event.submitter?.dataset.confirm ?? form.dataset.confirm;
  if (question && !confirm(question)) {
    event.preventDefault();
    return;
  }
  if (!('swap' in form.dataset)) return;
  event.preventDefault();
  // Once is enough, however often somebody presses.
  if (form.hasAttribute('aria-busy')) return;
  const body = new FormData(form, event.submitter);
  const hasFiles = [...body.values()].some((value) => value instanceof File && value.size > 0);
  form.setAttribute('aria-busy', 'true');
  say();
  try {
    // What has no file goes as forms do: files need a body of several parts.
    const { answer } = await load(form.action, {
      method: 'POST',
      body: hasFiles ? body : withoutFiles(body),
      all: true,
    });
    if (answer.redirected && new URL(answer.url).pathname !== location.pathname) location.assign(answer.url);
    // What came is part of this page by now.
    document.querySelector('main [data-focus]')?.focus();
  } catch {
    // It may have arrived, and been done: nothing is sent twice unasked.
    say(document.getElementById('connection').dataset.unanswered);
  } finally {
    form.removeAttribute('aria-busy');
  }
}

function withoutFiles(body) {
  const pairs = [...body].filter(([, value]) => !(value instanceof File));
  return new URLSearchParams(pairs);
}
