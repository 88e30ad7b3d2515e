// Buttons that copy what stands in another element: `data-copy` has its id, `data-copied` what the button says then.

const waiting = new WeakMap();

export function copying() {
  document.addEventListener('click', async (event) => {
    const button = event.target.closest?.('button[data-copy]');
    if (!button) return;
    // What it says then is said aloud, too.
    button.setAttribute('aria-live', 'polite');
    const text = document.getElementById(button.dataset.copy)?.textContent ?? '';
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Not on a page without TLS that is not of this machine: choose it, and let the person copy.
      getSelection().selectAllChildren(document.getElementById(button.dataset.copy));
      return;
    }
    const { label = button.textContent } = button.dataset;
    Object.assign(button.dataset, { label });
    button.textContent = button.dataset.copied;
    clearTimeout(waiting.get(button));
    waiting.set(button, setTimeout(() => { button.textContent = label; }, 1500));
  });
}
