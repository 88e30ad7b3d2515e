// A page that asks for itself again: its parts (`data-part`, with an id) are replaced by those of the answer. There is one way to
// draw a page, and that is the server's. Those with `data-part="sent"` belong to a form that was sent: the page by itself does not
// know what was typed, so they stay until the form is sent again.
import { localTimes } from './time.js';

// What the server wrote of each part, before anything was done with it here: times are put into the reader's zone.
const written = new WeakMap();
for (const part of document.querySelectorAll('[data-part]')) written.set(part, part.outerHTML);

/** Says above the content what came of something that was asked for, or nothing any more. */
export function say(text) {
  tell(document.getElementById('notice'), text);
}

/** Says whether the page is live: nothing, if it is. */
export function sayConnection(text) {
  tell(document.getElementById('connection'), text);
}

function tell(bar, text) {
  bar.textContent = text ?? '';
  bar.hidden = !text;
}

/**
 * Asks for the page at `address`, and shows it. Gives the answer; whether somebody has asked for another view meanwhile, so that it
 * was not shown; and why it is no version of this page, if so.
 */
export async function load(address, { method = 'GET', body, ...how } = {}) {
  const headers = { accept: 'text/html' };
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  if (token && method !== 'GET') headers['x-csrf-token'] = token;
  const here = view();
  const answer = await fetch(address, { method, body, headers, credentials: 'same-origin' });
  const text = await answer.text();
  const next = new DOMParser().parseFromString(text, 'text/html');
  // What was sent has been done, whatever is looked at now.
  const isOld = method === 'GET' && view() !== here;
  // Asked before parts of it go into this page.
  const why = trouble(answer, next);
  if (!isOld) show(next, how);
  return { answer, next, isOld, trouble: why };
}

function view() {
  return location.pathname + location.search;
}

/** Why an answer is no version of this page. */
function trouble(answer, next) {
  const mustSignIn = answer.status === 401 || (answer.redirected && new URL(answer.url).pathname === '/sign-in');
  if (mustSignIn) return document.getElementById('connection').dataset.signedOut;
  // What was sent leads to another page.
  if (answer.ok && answer.redirected && new URL(answer.url).pathname !== location.pathname) return undefined;
  const own = [...document.querySelectorAll('[data-part]')];
  if (own.some((part) => next.getElementById(part.id))) return undefined;
  const words = ['main h1', 'main .detail'].map((place) => next.querySelector(place)?.textContent.trim());
  return words.filter(Boolean).join(': ') || String(answer.status);
}

/**
 * Shows the parts of another version of this page. What somebody is reading or typing in stays, unless they have asked for `all`;
 * a part for which `stays` is true does in any case. `moved` says under which id something goes on: by itself, under its own.
 */
function show(next, { all = false, stays = () => false, moved = (id) => id }) {
  for (const part of document.querySelectorAll('[data-part]')) {
    const other = next.getElementById(part.id);
    if (!other || stays(part)) continue;
    if (!all && (part.dataset.part === 'sent' || isHeld(part))) continue;
    const text = other.outerHTML;
    if (written.get(part) === text) continue;
    written.set(other, text);
    keep(part, other, moved);
    part.replaceWith(other);
    localTimes(other);
  }
}

/** Somebody points at a line, types, or has chosen text. */
function isHeld(part) {
  if (part.matches('[data-hold]:hover')) return true;
  const active = document.activeElement;
  if (active && active !== document.body && part.contains(active)) return true;
  const chosen = getSelection();
  return Boolean(chosen && !chosen.isCollapsed && part.contains(chosen.anchorNode));
}

/** What was opened stays open, and a file that was chosen stays chosen: no server could say so. */
function keep(part, other, moved) {
  const twin = (element) => {
    const id = moved(element.id);
    return id && other.querySelector(`#${CSS.escape(id)}`);
  };
  // First all of them are found, and then put there: one may take the id that another one has now.
  const chosen = [...part.querySelectorAll('input[type="file"][id]')].filter((field) => field.files.length > 0);
  for (const [field, place] of chosen.map((field) => [field, twin(field)])) {
    if (!place) continue;
    for (const name of ['id', 'name', 'aria-label']) field.setAttribute(name, place.getAttribute(name) ?? '');
    place.replaceWith(field);
  }
  for (const details of part.querySelectorAll('details[id]')) {
    const place = twin(details);
    if (place) place.open = details.open;
  }
}
