/*
 * node draw.mjs RECORDING.json PICTURE.png: bundles page.jsx with the recording and has chromium take its picture.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const [recording, picture] = process.argv.slice(2).map((path) => resolve(path));
const folder = mkdtempSync(join(tmpdir(), 'picture-'));
const { dashboard } = JSON.parse(readFileSync(recording, 'utf8'));
const rows = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h));

await build({
  absWorkingDir: here,
  entryPoints: ['page.jsx'],
  outdir: folder,
  bundle: true,
  minify: true,
  alias: { recording },
  jsx: 'automatic',
  nodePaths: [join(here, 'node_modules')],
  external: ['stream'], // asked for by papaparse in Node.js only
  loader: { '.woff': 'dataurl', '.woff2': 'dataurl', '.svg': 'text', '.png': 'dataurl', '.ttf': 'dataurl' },
  define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
  logLevel: 'error',
});
writeFileSync(join(folder, 'index.html'),
  '<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="page.css"><style>* { box-sizing: border-box } body { margin: 0 }</style>' +
  '<div id="root"></div><script src="page.js"></script>');
execFileSync('chromium', ['--headless=new', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--force-device-scale-factor=1',
  `--user-data-dir=${join(folder, 'profile')}`, `--window-size=1816,${rows * 38 + 8}`, '--virtual-time-budget=20000', '--enable-logging=stderr',
  '--allow-file-access-from-files', `--screenshot=${picture}`, `file://${folder}/index.html`], { stdio: ['ignore', 'inherit', 'inherit'] });
rmSync(folder, { recursive: true });
