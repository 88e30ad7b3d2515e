// Times in the reader's zone: exactly, for whoever points at one.

const exact = new Intl.DateTimeFormat(document.documentElement.lang, {
  year: 'numeric', month: '2-digit', day: '2-digit',
  hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3,
  hourCycle: 'h23', timeZoneName: 'short',
});

export function localTimes(root) {
  for (const time of root.querySelectorAll('time[datetime]')) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const text = exact.format(at);
    // One that was written exactly stays so.
    if (time.textContent === time.title) time.textContent = text;
    time.title = text;
  }
}
