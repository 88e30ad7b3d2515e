// Live pages: `/live` says that something has happened, and the page asks for itself. A bar says when nobody says anything any more.
import { load, say } from './page.js';

const RETRY = 3000;

export function follow() {
  const kinds = document.body.dataset.live;
  if (!kinds) return;
  const bar = document.getElementById('connection');
  let again = false;
  let busy = false;

  const refresh = async () => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      const { answer, next } = await load(location.href);
      // Whoever has to sign in is led there, which is another page.
      if (answer.redirected) signedOut();
      // Something else was answered than this page, such as that there is too much to do.
      else if (!next.querySelector('[data-part]')) say(bar.dataset.lost);
    } catch {
      say(bar.dataset.lost);
    } finally {
      busy = false;
    }
    if (again) {
      again = false;
      refresh();
    }
  };

  let source;
  const signedOut = () => {
    source.close();
    say(bar.dataset.signedOut);
  };
  const connect = () => {
    const about = new URLSearchParams({ kinds });
    source = new EventSource(`/live?${about}`);
    let wasOpen = false;
    source.addEventListener('open', () => {
      // What happened meanwhile was not told.
      if (wasOpen || !bar.hidden) refresh();
      wasOpen = true;
      say();
    });
    source.addEventListener('changed', () => {
      if (!document.hidden) refresh();
    });
    source.addEventListener('end', (event) => {
      if (JSON.parse(event.data).reason === 'not_allowed') signedOut();
    });
    source.addEventListener('error', async () => {
      if (source.readyState === EventSource.CONNECTING) {
        say(bar.dataset.lost);
        return;
      }
      // The gateway has answered something else: it says whether we may still look.
      say(bar.dataset.lost);
      setTimeout(async () => {
        try {
          const { answer } = await load(location.href);
          if (answer.redirected || answer.status === 401) return signedOut();
        } catch {
          // It does not answer yet.
        }
        connect();
      }, RETRY);
    });
  };
  connect();
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) refresh();
  });
}
