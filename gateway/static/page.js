// A page that asks for itself again: its parts (`data-part`, with an id) are replaced by those of the answer. There is one way to
// draw a page, and that is the server's. Those with `data-part="sent"` belong to a form that was sent: the page by itself does not
// know what was typed, so they stay until the form is sent again.
import { localTimes } from './time.js';

// What the server wrote of each part, before anything was done with it here: times are put into the reader's zone.
const written = new WeakMap();
for (const part of document.querySelectorAll('[data-part]')) written.set(part, part.outerHTML);

/** Says something above the page, or nothing any more. */
export function say(text) {
  const bar = document.getElementById('connection');
  bar.textContent = text ?? '';
  bar.hidden = !text;
}

/** Asks for the page at `address`, and shows it. Gives the answer. */
export async function load(address, { method = 'GET', body, all = false } = {}) {
  const headers = { accept: 'text/html' };
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  if (token && method !== 'GET') headers['x-csrf-token'] = token;
  const here = location.href;
  const answer = await fetch(address, { method, body, headers, credentials: 'same-origin' });
  const text = await answer.text();
  const next = new DOMParser().parseFromString(text, 'text/html');
  // Who has gone on typing meanwhile has asked for something else.
  if (location.href === here) show(next, all);
  return { answer, next };
}

/** Shows the parts of another version of this page. What somebody is reading or typing in stays, unless they have asked for `all`. */
export function show(next, all) {
  for (const part of document.querySelectorAll('[data-part]')) {
    const other = next.getElementById(part.id);
    if (!other) continue;
    if (!all && (part.dataset.part === 'sent' || isHeld(part))) continue;
    const text = other.outerHTML;
    if (written.get(part) === text) continue;
    written.set(other, text);
    keep(part, other);
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
function keep(part, other) {
  for (const field of part.querySelectorAll('input[type="file"][id]')) {
    if (field.files.length > 0) other.querySelector(`#${CSS.escape(field.id)}`)?.replaceWith(field);
  }
  for (const details of part.querySelectorAll('details[id]')) {
    const twin = other.querySelector(`#${CSS.escape(details.id)}`);
    if (twin) twin.open = details.open;
  }
}
