#!/usr/bin/env node
// The software bill of materials of a built program, as CycloneDX 1.5 JSON: what it is linked with, what was compiled into it
// from headers, and what is in the page it serves; each with version and licence. The same program on the same machine gives
// the same bytes.
//
//   scripts/sbom.mjs PROGRAM OUTPUT           writes it
//   scripts/sbom.mjs --check PROGRAM OUTPUT   and fails when a licence is none of scripts/licences.json, or was never looked up
//   scripts/sbom.mjs --table PROGRAM          prints it as the table of docs/dependencies.md, without versions
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const licences = JSON.parse(readFileSync(join(root, 'scripts/licences.json'), 'utf8'));
const mode = process.argv[2]?.startsWith('--') ? process.argv[2] : '';
const [program, output] = process.argv.slice(mode ? 3 : 2);
if (!program || (mode !== '--table' && !output) || !['', '--check', '--table'].includes(mode)) {
  console.error('sbom: write scripts/sbom.mjs [--check] PROGRAM OUTPUT, or scripts/sbom.mjs --table PROGRAM');
  process.exit(2);
}

// Libraries that are headers alone: nothing of the finished program names them. CMakeLists.txt does.
const headerOnly = ['libboost1.81-dev', 'libcli11-dev', 'libexpected-dev', 'nlohmann-json3-dev'];

// What a command printed, whatever it thought of the rest.
const said = (command, ...args) => {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch (fault) {
    return (fault.stdout ?? '').trim();
  }
};
const sha256 = (file) => createHash('sha256').update(readFileSync(file)).digest('hex');
const os = Object.fromEntries(readFileSync('/etc/os-release', 'utf8').trim().split('\n').map((line) => {
  const [key, ...value] = line.split('=');
  return [key, value.join('=').replace(/^"|"$/g, '')];
}));

const components = new Map();
const add = (component) => {
  const known = components.get(component['bom-ref']);
  if (!known) return components.set(component['bom-ref'], component);
  for (const file of component.components ?? []) if (!known.components.some((k) => k.name === file.name)) known.components.push(file);
};
const licence = (text) => (text ? [/ (WITH|OR|AND) /.test(text) ? { expression: text } : { license: { id: text } }]
  : [{ license: { name: 'not looked up' } }]);
const fileComponent = (file) => ({ type: 'file', name: basename(file), hashes: [{ alg: 'SHA-256', content: sha256(file) }] });

// Name, version, source and architecture of the packages that are installed.
const packages = new Map();
function askDebian(names) {
  for (const line of said('dpkg-query', '-W', '-f', '${Package}\t${Version}\t${source:Package}\t${Architecture}\t${db:Status-Status}\n', ...names).split('\n')) {
    const [name, version, source, architecture, status] = line.split('\t');
    if (status === 'installed') packages.set(name, { version, source, architecture });
  }
}
function addDebian(name, files) {
  const known = packages.get(name);
  if (!known) return false;
  const { version, source, architecture } = known;
  const purl = `pkg:deb/${os.ID}/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture}&distro=${os.ID}-${os.VERSION_ID}`;
  add({
    type: 'library', 'bom-ref': purl, name, version, purl, licenses: licence(licences.debian[source]),
    properties: [{ name: 'debian:source', value: source }, { name: 'phoenix:use', value: files.length > 0 ? 'linked' : 'compiled in' }],
    ...(files.length > 0 && { components: files.map(fileComponent) }),
  });
  return true;
}

function addNpm(name, locked, use, files) {
  const purl = `pkg:npm/${name.replace('@', '%40')}@${locked.version}`;
  add({
    type: 'library', 'bom-ref': purl, name, version: locked.version, purl, licenses: licence(locked.license),
    properties: [{ name: 'phoenix:use', value: use }, { name: 'npm:integrity', value: locked.integrity }],
    ...(files.length > 0 && { components: files.map(fileComponent) }),
  });
}

// What the loader would load. The kernel's own object is in no file.
const native = JSON.parse(readFileSync(join(root, 'native/package-lock.json'), 'utf8')).packages;
const linked = [...said('ldd', program).matchAll(/(?:=>\s*)?(\/\S+)\s+\(0x/g)].map((m) => m[1]);
if (linked.length === 0) {
  console.error(`sbom: ${program}: ldd names no library`);
  process.exit(1);
}
// A package may have a file under /usr or without it: one is a link to the other.
const spellings = (path) => [...new Set([realpathSync(path), path].flatMap((f) => [f, f.replace(/^\/usr\//, '/'), `/usr${f}`]))];
const owners = new Map(said('dpkg-query', '-S', ...linked.flatMap(spellings)).split('\n').map((line) => {
  const [names, file] = line.split(': ');
  return [file, names.split(':')[0]];
}));
askDebian([...headerOnly, ...new Set(owners.values())].filter((name) => name));
for (const path of linked) {
  const file = realpathSync(path);
  const owner = spellings(path).map((spelling) => owners.get(spelling)).find((name) => name);
  const [module] = Object.keys(native).filter((key) => key && file.includes(`/${key}/`));
  if (owner && addDebian(owner, [file])) continue;
  if (module) {
    addNpm(module.replace('node_modules/', ''), native[module], 'linked', [file]);
  } else if (/^libduckdb\.so/.test(basename(file))) {
    // An installed copy of the same library.
    const [key, locked] = Object.entries(native).find(([k]) => k.includes('duckdb'));
    addNpm(key.replace('node_modules/', ''), locked, 'linked', [file]);
  } else {
    add({ ...fileComponent(file), type: 'library', 'bom-ref': `file:${basename(file)}`, licenses: licence('') });
  }
}
for (const name of headerOnly) addDebian(name, []);

// The page: what its package.json calls dependencies is bundled, what it calls devDependencies only builds it.
const web = JSON.parse(readFileSync(join(root, 'web/package-lock.json'), 'utf8')).packages;
for (const [key, locked] of Object.entries(web)) {
  if (key && !locked.dev) addNpm(key.replace(/^.*node_modules\//, ''), locked, 'in the page', []);
}

const sorted = [...components.values()].sort((a, b) => (a['bom-ref'] < b['bom-ref'] ? -1 : 1));
for (const component of sorted) component.components?.sort((a, b) => (a.name < b.name ? -1 : 1));
const named = (component) => component.licenses[0].expression ?? component.licenses[0].license.id ?? component.licenses[0].license.name;
const useOf = (component) => component.properties?.find((p) => p.name === 'phoenix:use')?.value ?? 'linked';

if (mode === '--table') {
  console.log('| library | licence | use |\n| --- | --- | --- |');
  for (const c of [...sorted].sort((a, b) => (a.name < b.name ? -1 : 1))) console.log(`| ${c.name} | ${named(c)} | ${useOf(c)} |`);
  process.exit(0);
}

const version = said(program, '--version');
const phoenix = `pkg:generic/phoenix@${encodeURIComponent(version)}`;
const bom = {
  $schema: 'http://cyclonedx.org/schema/bom-1.5.schema.json',
  bomFormat: 'CycloneDX',
  specVersion: '1.5',
  version: 1,
  metadata: { component: { type: 'application', 'bom-ref': phoenix, name: 'phoenix', version, purl: phoenix, hashes: fileComponent(program).hashes } },
  components: sorted,
  dependencies: [{ ref: phoenix, dependsOn: sorted.map((c) => c['bom-ref']) }],
};
writeFileSync(`${output}.new`, `${JSON.stringify(bom, null, 2)}\n`);
renameSync(`${output}.new`, output);

if (mode === '--check') {
  const wrong = sorted.filter((c) => !named(c).split(/ (?:WITH|OR|AND) /).every((id) => licences.allowed.includes(id)));
  for (const c of wrong) console.error(`sbom: ${c.name} ${c.version ?? ''}: its licence is ${named(c)}; read it, and see scripts/licences.json`);
  if (wrong.length > 0) process.exit(1);
}
