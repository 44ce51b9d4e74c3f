// The copy buttons of the API's reference, which is no page of the app and has no other script: as the dashboard's, for eye and screen reader, over plain HTTP too.

const SHOWN_MS = 2_000;

const status = document.querySelector('#copied');
for (const button of document.querySelectorAll('.copy-block .copy-button')) button.addEventListener('click', () => void copy(button));

/** @param {Element} button */
async function copy(button) {
  const [face, code] = [button.querySelector('span'), button.closest('.copy-block')?.querySelector('pre')];
  if (face === null || code === null || code === undefined) return;
  const hasWorked = (await byClipboard(code.textContent ?? '')) || bySelection(code);
  face.textContent = hasWorked ? 'Copied' : 'Failed';
  button.classList.toggle('copied', hasWorked);
  if (status !== null) status.textContent = hasWorked ? 'Copied' : 'Could not copy. The text is selected by a click on it.';
  setTimeout(() => {
    face.textContent = 'Copy';
    button.classList.remove('copied');
    if (status !== null) status.textContent = '';
  }, SHOWN_MS);
}

/** There is none over plain HTTP, except on localhost. @param {string} text */
async function byClipboard(text) {
  if (!window.isSecureContext) return false;
  return navigator.clipboard.writeText(text).then(
    () => true,
    () => false,
  );
}

/** The old way, which leaves the text selected. @param {Element} code */
function bySelection(code) {
  const selection = getSelection();
  if (selection === null) return false;
  selection.selectAllChildren(code);
  return document.execCommand('copy');
}
