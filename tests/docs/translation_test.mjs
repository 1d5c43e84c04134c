// The Chinese pages say what the English ones say, as far as a program can tell: equal commands and outputs, equal headings and tables,
// the same links. An English page that is changed alone shows here.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

const pairs = [['README.md', 'README.zh-CN.md'], ...readdirSync('docs/zh-CN').map((name) => [`docs/${name}`, `docs/zh-CN/${name}`])];

const fenced = (text) => [...text.matchAll(/^```\w*\n[^]*?^```/gm)].map(([block]) => block);
const indented = (text) => [...text.replaceAll(/^```[^]*?^```/gm, '').matchAll(/^ {4}(\S.*)$/gm)].map(([, line]) => line);
const outside = (text) => text.replaceAll(/^```[^]*?^```/gm, '');
const headings = (text) => [...outside(text).matchAll(/^(#+) /gm)].map(([, level]) => level);
const rows = (text) => [...outside(text).matchAll(/^\|(.*)\|$/gm)].map(([, row]) => row.replaceAll(/`[^`]*`/g, '').split('|').length);
const codes = (text) => [...outside(text).replaceAll('\n', ' ').matchAll(/`([^`]+)`/g)].map(([, code]) => code.replaceAll(/\s+/g, ' ')).sort();
const lastPart = (text) => [...outside(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target.split('#')[0].split('/').at(-1)).filter((name) => !/README/.test(name)).sort();

for (const [english, chinese] of pairs) {
  const [en, zh] = [english, chinese].map((page) => readFileSync(page, 'utf8'));
  test(`${chinese} has the commands and outputs of ${english}`, () => {
    assert.deepEqual(fenced(zh), fenced(en));
    assert.deepEqual(indented(zh), indented(en));
    assert.deepEqual(codes(zh), codes(en));
  });
  test(`${chinese} has the headings, tables and links of ${english}`, () => {
    assert.deepEqual(headings(zh), headings(en));
    assert.deepEqual(rows(zh), rows(en));
    assert.deepEqual(lastPart(zh), lastPart(en));
  });
  test(`${chinese} is Chinese`, () => {
    const letters = outside(zh).replaceAll(/`[^`]*`|\([^)]*\)/g, '');
    const han = letters.match(/\p{Script=Han}/gu)?.length ?? 0;
    assert.ok(han > 0.4 * letters.replaceAll(/[\s\p{P}\p{S}\d]/gu, '').length, `${han} characters`);
  });
}
