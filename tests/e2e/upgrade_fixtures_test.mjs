// What the present version writes can be kept for later ones: the script makes it, and everything that is expected of it is there.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { phoenix, start, temporaryDirectory } from './program.mjs';

test('the script keeps a recording, a killed recorder, a session of the maker, and their figures', async () => {
  assert.match(readFileSync('docs/upgrading.md', 'utf8'), /^ {4}scripts\/upgrade_fixtures\.sh$/m);
  const directory = join(temporaryDirectory(), 'kept');
  const script = start([directory], { command: 'scripts/upgrade_fixtures.sh', env: { PHOENIX: phoenix } });
  assert.equal(await script.exit, 0, script.stdout + script.stderr);
  for (const name of ['recording.tar.gz', 'interrupted.tar.gz', 'session.phxlog.gz', 'maker.yaml', 'record.yaml', 'maker/state.db', 'maker/kill-latch', 'maker/incidents.jsonl'])
    assert.ok(existsSync(join(directory, name)), name);
  const expected = JSON.parse(readFileSync(join(directory, 'expected.json'), 'utf8'));
  for (const recording of [expected.recording, expected.interrupted]) {
    assert.ok(recording.trades[0].n > 0 && recording.depth[0].n > 0);
    assert.equal(recording.passed.files, true);
  }
  assert.equal(expected.input_log.equal, true);
  const again = start([directory], { command: 'scripts/upgrade_fixtures.sh', env: { PHOENIX: phoenix } });
  assert.equal(await again.exit, 2, 'what is there is never made anew');
});
