import { existsSync } from 'node:fs';
import { defineConfig } from '@playwright/test';

// The system's Chromium: nothing here downloads a browser.
const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
if (!existsSync(executablePath)) {
  throw new Error(`No Chromium at ${executablePath}. Install the package chromium, or name one in CHROMIUM.`);
}

export default defineConfig({
  testDir: 'tests',
  outputDir: 'test-results/artifacts',
  // Each worker runs a server, encoders and a browser of its own. With more than one, leave out what measures time: `--grep-invert @alone`.
  workers: Number(process.env['WORKERS'] ?? 1),
  fullyParallel: true,
  forbidOnly: true,
  // A flake is a bug.
  retries: 0,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: 'list',
  use: {
    launchOptions: {
      executablePath,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--autoplay-policy=no-user-gesture-required',
        // A green picture with a beep, and leave to use it.
        '--use-fake-device-for-media-stream',
        '--use-fake-ui-for-media-stream',
        // A host that, unlike localhost, is no secure context over plain http.
        '--host-resolver-rules=MAP afterlive.test 127.0.0.1',
      ],
    },
    viewport: { width: 1280, height: 800 },
    // Times are shown in UTC, with the local time beside them: let the two differ.
    timezoneId: 'Europe/Berlin',
    locale: 'en-GB',
    trace: 'retain-on-failure',
  },
});
