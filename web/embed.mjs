// Writes the built page as a C++ source: node embed.mjs DIST OUT.cpp

import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const types = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
};

function filesIn(folder, path = '') {
  return readdirSync(join(folder, path), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => (entry.isDirectory() ? filesIn(folder, `${path}${entry.name}/`) : [`${path}${entry.name}`]));
}

/// As literals of at most 100 bytes a line; octal escapes end after three digits, so that no byte joins the next.
function literals(bytes) {
  const lines = [];
  for (let i = 0; i < bytes.length; i += 100) {
    const text = [...bytes.subarray(i, i + 100)].map((b) => '\\' + b.toString(8).padStart(3, '0')).join('');
    lines.push(`    "${text}"`);
  }
  return lines.join('\n');
}

const [, , dist, out] = process.argv;
const rows = [];
const contents = [];
filesIn(dist).forEach((name, i) => {
  const type = types[name.split('.').pop()];
  if (!type) throw new Error(`no content type for ${name}`);
  const raw = readFileSync(join(dist, name));
  const gzip = gzipSync(raw, { level: 9 });
  const etag = createHash('sha256').update(raw).digest('hex').slice(0, 16);
  contents.push(`constexpr char content_${i}[] =\n${literals(gzip)};`);
  const path = name === 'index.html' ? '/' : `/${name}`;
  rows.push(`    {"${path}", "${type}", "\\"${etag}\\"", {content_${i}, ${gzip.length}}},`);
});
writeFileSync(out, `// Made from web/ by embed.mjs.
#include "app/web_assets.hpp"

#include <array>

namespace phoenix::app {
namespace {

${contents.join('\n')}

constexpr std::array<WebAsset, ${rows.length}> assets{{
${rows.join('\n')}
}};

}  // namespace

std::span<const WebAsset> web_assets() { return assets; }

}  // namespace phoenix::app
`);
