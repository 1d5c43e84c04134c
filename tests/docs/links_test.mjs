// Every link of the documents leads somewhere in the repository, anchors included, and every page can be reached from the README.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

const pages = ['.', 'docs', 'docs/zh-CN'].filter(existsSync)
  .flatMap((folder) => readdirSync(folder).filter((name) => name.endsWith('.md')).map((name) => normalize(join(folder, name))));
const text = Object.fromEntries(pages.map((page) => [page, readFileSync(page, 'utf8')]));
const prose = (page) => text[page].replaceAll(/^(```|~~~)[^]*?^\1/gm, '').replaceAll(/`[^`\n]*`/g, (code) => (/\]\(/.test(code) ? '' : code));

/// The anchors that headings get where the pages are read.
function anchors(page) {
  const seen = new Map();
  return new Set([...text[page].replaceAll(/^(```|~~~)[^]*?^\1/gm, '').matchAll(/^#{1,6} (.+?)\s*$/gm)].map(([, heading]) => {
    const slug = heading.toLowerCase().replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll(/[^\p{L}\p{N}\p{M}\p{Pc} -]/gu, '').replaceAll(' ', '-');
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  }));
}
const links = (page) => [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target)
  .filter((target) => !/^[a-z][a-z+.-]*:/.test(target))
  .map((target) => {
    const [path, anchor] = target.split('#');
    return { target, file: path === '' ? page : normalize(join(dirname(page), path)), anchor };
  });

for (const page of pages) {
  test(`the links of ${page} lead somewhere`, () => {
    for (const { target, file, anchor } of links(page)) {
      assert.ok(existsSync(file), `${page} links to ${target}`);
      assert.ok(!file.startsWith('..'), `${page} links out of the repository: ${target}`);
      if (anchor !== undefined && file.endsWith('.md')) {
        assert.ok(anchors(file).has(anchor), `${page} links to ${target}; ${file} has ${[...anchors(file)].join(' ')}`);
      }
    }
  });
}

test('every page is reached from the README', () => {
  const reached = new Set(['README.md']);
  for (const page of reached) {
    for (const { file } of links(page)) if (text[file] !== undefined) reached.add(file);
  }
  assert.deepEqual(pages.filter((page) => !reached.has(page)), []);
});

test('pictures are small, say what they show, and are shown', () => {
  const shown = pages.flatMap((page) => [...text[page].matchAll(/!\[([^\]]*)\]\(([^)]+)\)/g)].map(([, alt, path]) => ({ page, alt, file: normalize(join(dirname(page), path)) })));
  for (const { page, alt, file } of shown) {
    assert.ok(alt.length > 20, `${page}: ${file} says what it shows`);
    assert.ok(statSync(file).size < 300_000, `${file} is below 300 kB`);
  }
  const there = existsSync('docs/images') ? readdirSync('docs/images').map((name) => `docs/images/${name}`) : [];
  assert.deepEqual(there.filter((file) => !shown.some((s) => s.file === file)), []);
});
