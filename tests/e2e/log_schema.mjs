// What the sources say in the log, and what docs/logs.md says of it.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/// Where lines of the log are made. `said` finds the calls; each gives level and words.
const folders = ['src/engine', 'src/app', 'src/io', 'src/ops'];
const call = /\b(?:note|log_?|say|tell)\s*\(/g;

/// The arguments of a call that begins at `at`, up to its closing parenthesis.
function argumentsAt(source, at) {
  let depth = 1;
  let in_text = false;
  for (let i = at; i < source.length; ++i) {
    const c = source[i];
    if (c === '\\') { ++i; continue; }
    if (c === '"') in_text = !in_text;
    else if (!in_text && c === '(') ++depth;
    else if (!in_text && c === ')' && --depth === 0) return source.slice(at, i);
  }
  return '';
}

/// The first text of C++ in `code`, its pieces put together.
function textOf(code) {
  const found = /"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*/.exec(code);
  if (!found) return undefined;
  return [...found[0].matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((m) => m[1]).join('').replace(/\\"/g, '"').replace(/\{:[^}]*\}/g, '{}');
}

/// Every line the sources can write: { file, levels, format }.
export function linesOfSources() {
  const lines = [];
  for (const folder of folders) {
    for (const name of readdirSync(folder)) {
      if (!name.endsWith('.cpp') || /_(test|fuzz|bench)\.cpp$/.test(name)) continue;
      const file = join(folder, name);
      const source = readFileSync(file, 'utf8').replace(/^\s*\/\/.*$/gm, '');
      for (const match of source.matchAll(call)) {
        const code = argumentsAt(source, match.index + match[0].length);
        const levels = [...new Set([...code.matchAll(/\b(?:Severity|Level)::(debug|info|warning|error)\b/g)].map((m) => m[1]))];
        const archive = /^ArchiveEvent::/.test(code);
        const format = textOf(code);
        if ((levels.length === 0 && !archive) || format === undefined) continue;
        lines.push({ file, levels, format: archive ? `[ARCHIVE] {} ${format}` : format });
      }
      // Texts that are put together elsewhere.
      if (name === 'log_state.cpp' || name === 'archive.cpp') {
        for (const text of source.matchAll(/fmt::format\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)/g)) lines.push({ file, levels: ['info'], format: textOf(text[1]) });
      }
    }
  }
  return lines;
}

/// As ops/log_line.hpp reads a line: its event, with … for what a format leaves open.
export function eventOf(format) {
  const tagged = /^((?:\[[^\]]+\])+) ?/.exec(format);
  const tag = tagged ? [...tagged[1].matchAll(/\[([^\]]+)\]/g)].map((m) => m[1]).join('.') : '';
  let rest = format.slice(tagged ? tagged[0].length : 0).replace(/^\{\}(?=[a-z])/, '').replace(/\{\}/g, '…');
  const end = /(?:^|(?<= ))[a-z][a-z0-9_]*=|: /.exec(rest);
  if (end) rest = rest.slice(0, end.index);
  rest = rest.trim();
  return tag !== '' && (rest === '' || rest.startsWith('…')) ? tag : rest;
}

/// Its keys: none where everything after the words is text.
export function keysOf(format) {
  const keys = [...format.matchAll(/(?<![\w.])([a-z][a-z0-9_]*)=(?=["{]|[a-z])/g)];
  const colon = format.indexOf(': ');
  return keys.filter((m) => colon < 0 || keys[0].index < colon).map((m) => m[1]);
}

/// The rows of the table that follows `## title` of docs/logs.md, as lists of cells.
export function table(title) {
  const text = readFileSync('docs/logs.md', 'utf8');
  const section = text.slice(text.indexOf(`\n## ${title}\n`)).slice(1).split(/\n## /)[0];
  return section.split('\n').filter((line) => /^\| .*\|$/.test(line) && !/^\| ?-/.test(line)).map((line) => line.slice(2, -2).split(' | '));
}
export const quoted = (cell) => [...cell.matchAll(/`([^`]+)`/g)].map((m) => m[1]);
