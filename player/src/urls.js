// Where a stream's parts are, below `/live/NAME`. A playback token goes along with each.

/** @param {string} url @param {string | null} token */
export function withToken(url, token) {
  if (token === null || token === '') return url;
  return `${url}${url.includes('?') ? '&' : '?'}token=${encodeURIComponent(token)}`;
}

/** @param {string} base `/live/NAME`, relative or absolute @param {string | null} token @param {string} page the page's URL */
export function socketUrl(base, token, page) {
  const url = new URL(withToken(`${base}/ws`, token), page);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

/** @param {string} base @param {string | null} token @param {string} page */
export function playlistUrl(base, token, page) {
  return new URL(withToken(`${base}/index.m3u8`, token), page).href;
}

/**
 * What a refusal says, in words.
 * @param {Response} response
 */
export async function reasonOf(response) {
  const kind = response.headers.get('content-type') ?? '';
  try {
    if (kind.includes('json')) {
      const said = await response.json();
      // The API's form, or a plain one.
      const text = said?.error?.message ?? said?.message ?? said?.error ?? said?.detail;
      if (typeof text === 'string') return text;
    } else if (kind.startsWith('text/plain')) {
      const text = (await response.text()).trim();
      if (text !== '' && text.length < 300) return text;
    }
  } catch {
    // A body that cannot be read says nothing more than its status.
  }
  return response.status === 401 ? 'A token is needed, or the one in the link has expired.' : 'The server refuses it.';
}
