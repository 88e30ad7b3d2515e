// Forms that answer in place:
// - `data-filter`: asks as one types, and the address follows, so that a link shows the same;
// - `data-swap`: is sent, and the parts of the page that come back are shown where they are;
// - `data-confirm`: asks first.
// Whatever is posted is sent once, however often somebody presses.
import { load, say } from './page.js';

const PATIENCE = 150;

export function forms() {
  document.addEventListener('input', filterAsTyped);
  document.addEventListener('submit', send);
  document.addEventListener('keydown', sendFromKeys);
  // Somebody has come back to a page from which a form was sent.
  addEventListener('pageshow', () => {
    for (const form of document.querySelectorAll('form[aria-busy]')) form.removeAttribute('aria-busy');
  });
}

/** Ctrl or ⌘ with Enter does what the button does that has the focus, or else the form's first one. */
function sendFromKeys(event) {
  if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
  const form = event.target.form ?? event.target.closest?.('form');
  if (!form) return;
  event.preventDefault();
  const buttons = [...form.elements].filter((element) => element.type === 'submit');
  form.requestSubmit(buttons.includes(event.target) ? event.target : buttons[0]);
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
    const { next, isOld, trouble } = await load(address, { all: true });
    if (isOld) return;
    say(trouble);
    for (const field of form.elements) {
      const twin = field.name && next.querySelector(`form[data-filter] [name="${CSS.escape(field.name)}"]`);
      if (twin?.hasAttribute('aria-invalid')) field.setAttribute('aria-invalid', 'true');
      else if (twin) field.removeAttribute('aria-invalid');
    }
  } catch {
    // It is still a form: Enter sends it.
  }
}

async function send(event) {
  const form = event.target;
  if (form.method !== 'post') return;
  if (form.hasAttribute('aria-busy')) {
    event.preventDefault();
    return;
  }
  const question = event.submitter?.dataset.confirm ?? form.dataset.confirm;
  if (question && !confirm(question)) {
    event.preventDefault();
    return;
  }
  form.setAttribute('aria-busy', 'true');
  if (!('swap' in form.dataset)) return;
  event.preventDefault();
  const body = new FormData(form, event.submitter);
  const hasFiles = [...body.values()].some((value) => value instanceof File && value.size > 0);
  const typed = new Set();
  const note = ({ target }) => typed.add(target.closest('[data-part]') ?? target);
  document.addEventListener('input', note);
  say();
  try {
    const { answer, trouble } = await load(form.action, {
      method: 'POST',
      // What has no file goes as forms do: files need a body of several parts.
      body: hasFiles ? body : withoutFiles(body),
      all: true,
      // What was typed meanwhile is for the next time.
      stays: (part) => [...typed].some((one) => part.contains(one)),
      moved: movedBy(event.submitter),
    });
    if (trouble) say(trouble);
    else if (answer.redirected && new URL(answer.url).pathname !== location.pathname) location.assign(answer.url);
    // What came is part of this page by now. Who has gone on elsewhere stays there.
    const active = document.activeElement;
    const isHere = !active || active === document.body || (form.contains(active) && !typed.has(form));
    if (isHere) document.querySelector('main [data-focus]')?.focus();
  } catch {
    // It may have arrived, and been done: nothing is sent twice unasked.
    say(document.getElementById('notice').dataset.unanswered);
  } finally {
    document.removeEventListener('input', note);
    form.removeAttribute('aria-busy');
  }
}

function withoutFiles(body) {
  const pairs = [...body].filter(([, value]) => !(value instanceof File));
  return new URLSearchParams(pairs);
}

/** Where things are once a button has done its work: those of the element that it removes nowhere, those behind it one place before. */
function movedBy(button) {
  const [, list, removed] = /^remove:(.*)\/(\d+)$/.exec(button?.value ?? '') ?? [];
  if (list === undefined) return undefined;
  return (id) => {
    const begin = id.indexOf('/');
    const inside = `${list}/`;
    if (begin < 0 || !id.startsWith(inside, begin)) return id;
    const [index, ...rest] = id.slice(begin + inside.length).split('/');
    if (!/^\d+$/.test(index) || Number(index) < Number(removed)) return id;
    if (index === removed) return undefined;
    return [id.slice(0, begin) + list, Number(index) - 1, ...rest].join('/');
  };
}
