// Every page there is, for the tests that must see them all.

import type { StreamAnswer } from './api.ts';

export type Stop = { name: string; path: string; signedIn: boolean; status?: number };

export function tour(recorded: StreamAnswer): Stop[] {
  const page = (name: string, path: string): Stop => ({ name, path, signedIn: true });
  return [
    { name: 'auth', path: '/auth', signedIn: false },
    { name: 'sign-in-code-none', path: '/sign-in/code', signedIn: false },
    { name: 'forgotten', path: '/forgotten', signedIn: false },
    { name: 'reference', path: '/docs', signedIn: false },
    { name: 'setup', path: '/setup?token=not-the-right-one', signedIn: false },
    { name: 'invitation-none', path: '/invitation/not-the-right-one', signedIn: false },
    { name: 'new-password-none', path: '/password/not-the-right-one', signedIn: false },
    page('start', '/'),
    page('streams', '/stream'),
    page('streams-none', '/stream?q=nothing+is+called+that'),
    page('stream-create', '/stream/create'),
    page('stream-new', `/stream/new/${recorded.id}`),
    page('stream', `/stream/${recorded.id}`),
    page('stream-recordings', `/stream/${recorded.id}?tab=recordings`),
    page('stream-code', `/stream/${recorded.id}?tab=code`),
    page('playout', `/playout/${recorded.id}`),
    page('webcaster-start', '/webcaster'),
    page('webcaster', `/webcaster/${recorded.id}`),
    page('recordings', '/vod'),
    page('recordings-none', '/vod?q=nothing+is+called+that'),
    page('recordings-bin', '/vod?state=bin'),
    page('recording', `/vod/${recorded.playout.web.find((entry) => entry.type === 'vod')?.id ?? ''}`),
    page('organisation', '/organisation'),
    page('events', '/organisation/events'),
    page('audit', '/organisation/audit'),
    page('audit-none', '/organisation/audit?who=nobody'),
    page('system', '/system'),
    page('system-none', '/system?page=9'),
    page('account', '/account'),
    page('second-factor-none', '/account/second-factor'),
    { ...page('not-found', '/no/such/page'), status: 404 },
  ];
}
