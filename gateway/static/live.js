// Live pages: `/live` says that something has happened, and the page asks for itself. A bar says when nobody says anything any more.
// A tab that nobody sees does not listen: browsers keep few connections to a host, and other tabs need them.
import { load, sayConnection } from './page.js';

const RETRY = 3000;

export function follow() {
  const kinds = document.body.dataset.live;
  if (!kinds) return;
  const { lost, signedOut } = document.getElementById('connection').dataset;
  const about = new URLSearchParams({ kinds });
  let source;
  let retry;
  let again = false;
  let busy = false;
  let isOver = false;

  const refresh = async () => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      const { trouble } = await load(location.href);
      if (trouble === signedOut) end();
      // Something else was answered than this page, such as that there is too much to do.
      else if (trouble) sayConnection(lost);
      else if (source?.readyState === EventSource.OPEN) sayConnection();
    } catch {
      sayConnection(lost);
    } finally {
      busy = false;
    }
    if (again) {
      again = false;
      refresh();
    }
  };

  const end = () => {
    isOver = true;
    pause();
    sayConnection(signedOut);
  };

  const pause = () => {
    source?.close();
    source = undefined;
    clearTimeout(retry);
  };

  const listen = () => {
    if (source || isOver || document.hidden) return;
    source = new EventSource(`/live?${about}`);
    // What happened before was not told.
    source.addEventListener('open', refresh);
    source.addEventListener('changed', refresh);
    source.addEventListener('end', (event) => {
      if (JSON.parse(event.data).reason === 'not_allowed') end();
    });
    source.addEventListener('error', () => {
      sayConnection(lost);
      if (source?.readyState !== EventSource.CLOSED) return;
      // The gateway has answered something else, and the browser does not try again: the page says whether we may still look.
      pause();
      retry = setTimeout(() => {
        refresh();
        listen();
      }, RETRY);
    });
  };

  document.addEventListener('visibilitychange', () => {
    if (document.hidden) pause();
    else listen();
  });
  listen();
}
