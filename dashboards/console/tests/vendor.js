// Fetches the libraries of the console anew and writes them into vendor/:
//
//   npm run vendor
//
// Packages come from the npm registry by `npm pack`. Two changes are made, so that a browser loads them as they are: a
// package's name in an import becomes a path beside it, and uPlot's build for script tags gets an export (its ES module is
// not minified). Nothing else. versions.json says what was fetched and what came of it, by SHA-256; `node --test` holds the
// files to it.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = join(dirname(fileURLToPath(import.meta.url)), '..', 'vendor');

const PACKAGES = [
  { name: 'preact', version: '11.2.0', license: 'LICENSE', files: { 'dist/preact.mjs': 'preact.js', 'hooks/dist/hooks.mjs': 'hooks.js' } },
  { name: 'htm', version: '3.1.1', license: 'LICENSE', files: { 'dist/htm.mjs': 'htm.js' } },
  { name: '@preact/signals', version: '2.11.4', license: 'LICENSE', files: { 'dist/signals.mjs': 'signals.js' } },
  { name: '@preact/signals-core', version: '1.14.5', license: 'LICENSE', files: { 'dist/signals-core.mjs': 'signals-core.js' } },
  { name: 'uplot', version: '1.6.32', license: 'LICENSE', files: { 'dist/uPlot.iife.min.js': 'uplot.js', 'dist/uPlot.min.css': 'uplot.css' } },
];

const IMPORTS = { preact: './preact.js', 'preact/hooks': './hooks.js', '@preact/signals-core': './signals-core.js' };

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

function adapted(name, text) {
  const mapped = text.replace(/from"([^"]+)"/g, (whole, from) => {
    if (!IMPORTS[from]) throw new Error(`${name} imports ${from}, which is not here`);
    return `from"${IMPORTS[from]}"`;
  });
  const bare = mapped.replace(/\n?\/\/# sourceMappingURL=\S+\s*$/, '\n');
  return name === 'uplot.js' ? `${bare.trimEnd()}\nexport default uPlot;\n` : bare;
}

const work = mkdtempSync(join(tmpdir(), 'rasid-vendor-'));
const versions = {};
try {
  for (const { name, version, license, files } of PACKAGES) {
    const packed = execFileSync('npm', ['pack', '--silent', `${name}@${version}`], { cwd: work, encoding: 'utf8' }).trim();
    const archive = join(work, packed);
    const read = (path) => execFileSync('tar', ['-xzOf', archive, `package/${path}`], { encoding: 'utf8', maxBuffer: 1 << 26 });
    const meta = JSON.parse(read('package.json'));
    const entry = { version, license: meta.license, package_sha256: sha256(readFileSync(archive)), files: {} };
    for (const [from, to] of Object.entries(files)) {
      const text = adapted(to, read(from));
      writeFileSync(join(here, to), text);
      entry.files[to] = { from, sha256: sha256(text) };
    }
    const licence = `LICENSE.${name.replace('@', '').replace('/', '-')}`;
    const text = read(license);
    writeFileSync(join(here, licence), text);
    entry.files[licence] = { from: license, sha256: sha256(text) };
    versions[name] = entry;
  }
  writeFileSync(join(here, 'versions.json'), `${JSON.stringify(versions, null, 2)}\n`);
} finally {
  rmSync(work, { recursive: true });
}
