// Every test that docs/incidents.md names exists.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const sources = readdirSync('src', { recursive: true })
  .map(String)
  .filter((name) => name.endsWith('_test.cpp'))
  .map((name) => readFileSync(join('src', name), 'utf8'))
  .join('\n');
const page = readFileSync('docs/incidents.md', 'utf8');

test('every test that the page names exists', () => {
  const named = [...page.matchAll(/`(\w+)\.(\w+)`/g)];
  assert.ok(named.length > 40);
  for (const [, suite, name] of named) {
    assert.match(sources, new RegExp(`\\(${suite},\\s+${name}\\)`), `${suite}.${name}`);
  }
});

test('every entry is held by a test of its number', () => {
  for (const row of page.split('\n').filter((line) => /^\| [IDHV]\d\d/.test(line))) {
    const [, numbers] = row.split('|').map((cell) => cell.trim());
    for (const number of numbers.split(', ')) {
      assert.match(row.split('|').at(-2), new RegExp(`[._]${number.toLowerCase()}_`), `${number}: ${row}`);
    }
  }
});
