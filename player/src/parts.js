// The markup of an element's face, and its parts by their selectors. Knows neither of the elements.

/**
 * Fills a shadow root, and gives what finds the parts in it.
 * @param {ShadowRoot} root
 * @param {string} html
 * @param {string} whose for the words where a part is missing
 */
export function fill(root, html, whose) {
  const template = document.createElement('template');
  template.innerHTML = html;
  root.append(template.content);
  /** @template {Element} T @param {string} selector @param {new () => T} kind @returns {T} */
  return (selector, kind) => {
    const found = root.querySelector(selector);
    if (!(found instanceof kind)) throw new Error(`the ${whose}'s face has no ${selector}`);
    return found;
  };
}
