// Shows the gateway's own document. Nothing of it leaves this machine: no validator is asked.
(async () => {
  const place = document.getElementById('api');
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  const tell = (text) => {
    const notice = document.createElement('p');
    notice.className = 'notice bad';
    notice.setAttribute('role', 'alert');
    notice.append(document.createElement('span'));
    notice.firstChild.textContent = text;
    place.replaceChildren(notice);
  };

  let answer;
  try {
    answer = await fetch('/openapi.json');
  } catch {
    return tell('The gateway does not answer. Load the page again once it runs.');
  }
  // The session has ended: loading the page leads to the sign-in.
  if (answer.status === 401) return location.reload();
  if (!answer.ok) return tell(`The gateway gives no document (${answer.status}). Its log says why.`);
  const spec = await answer.json();
  // It has several names; the session is good under the one that this page was opened with.
  spec.servers = [{ url: location.origin }];

  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  const { theme } = document.documentElement.dataset;
  const isDark = () => theme === 'dark' || (theme !== 'light' && dark.matches);
  const paint = () => document.documentElement.classList.toggle('dark-mode', isDark());
  dark.addEventListener('change', paint);
  paint();

  window.SwaggerUIBundle({
    spec,
    dom_id: '#api',
    validatorUrl: null,
    deepLinking: true,
    docExpansion: 'none',
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    filter: true,
    // The scope that an operation needs.
    showExtensions: true,
    // The token below is for nobody to copy.
    showMutatedRequest: false,
    // What changes something has to show that it comes from a page of ours, if somebody has signed in.
    requestInterceptor: (request) => {
      if (token && new URL(request.url, location.href).origin === location.origin) {
        request.headers['X-CSRF-Token'] = token;
      }
      return request;
    },
  });
})();
