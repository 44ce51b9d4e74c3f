// Fetches <afterlive-webcaster> when a page comes to have one: most pages do without.

const NAME = 'afterlive-webcaster';

const observer = new MutationObserver(look);
observer.observe(document, { childList: true, subtree: true });
look();

function look() {
  if (document.querySelector(NAME) === null) return;
  observer.disconnect();
  void import('./element.js');
}
