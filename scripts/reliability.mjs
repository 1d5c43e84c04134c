// Makes docs/reliability.md of a simulation's summary: reliability.mjs SUMMARY.json HOURS

import { readFileSync } from 'node:fs';

const [file, hours] = process.argv.slice(2);
const r = JSON.parse(readFileSync(file, 'utf8'));
const w = r.worst;
const number = (x) => Math.round(x).toLocaleString('en-US');
const ms = (x) => `${number(x)} ms`;
const rows = [
  ['No order of ours rests on a price without proof: data late or missing, everything else well',
    ms(w.rested_data_bound_ms), ms(w.rested_data_ms)],
  ['... while requests or their answers are hindered as well (the exchange-side countdown ends it)',
    ms(w.rested_order_way_bound_ms), ms(w.rested_order_way_ms)],
  ['... while the process stands still or is dead (likewise)', ms(w.rested_process_bound_ms), ms(w.rested_process_ms)],
  ['Position and everything that rests, of the limit', '100 %', `${w.exposure_percent.toFixed(1)} %`],
  ['After the last fault all streams are live and all ladders complete, with no human', '30 s', `${w.recovery_s.toFixed(1)} s`],
  ['Sockets of a channel', 'lines + 1', String(w.sockets)],
  ['... more than lines for (both lines replaced, one after the other)', '80 s', `${w.over_lines_s.toFixed(1)} s`],
  ['Connections opened in five minutes', '300', String(w.connects_5min)],
  ['Request weight used in a minute', '2,400', number(w.weight_1m)],
  ['An order that is gone is taken for live, once things are calm', '20 s', `${w.order_truth_s.toFixed(1)} s`],
];
const out = [];
out.push(`# Reliability: what is promised, and the worst that was seen

This page is written by \`scripts/reliability.sh\`; change the script, not the page.

A simulation runs the whole market maker against the local exchange in virtual time, over a network that cuts, mutes, delays,
drips, drops, repeats, reorders and scrambles, with requests that vanish before or after they took effect, a venue that refuses,
bans, halts and changes its clock, and a process that stands still, dies and throws. One seed decides everything. Checkers stand
outside: they see what the exchange does and what reaches the maker, and ask the maker only what it believes. The countdown
bounds follow from the number of symbols (the log of a run names them); transport is the drawn network's own delay.

${r.runs} runs of ${hours} virtual hours with all faults, seeds ${r.seed} to ${r.seed + r.runs - 1}: ${number(r.events)} events, \
${number(r.reconnects)} reconnects, ${number(r.withdrawals)} withdrawals, ${number(r.resyncs)} books built anew, \
${number(r.restarts)} restarts, ${number(r.fills)} fills, ${number(r.books_compared)} books compared with the venue's at the same \
update id. Promises broken: **${r.violations.length}**.

| Promise | Bound | Worst seen |
| --- | --- | --- |`);
for (const row of rows) out.push(`| ${row.join(' | ')} |`);
out.push(`
Kept without a figure, or the run would have stopped: no client order id accepted twice and no open order the maker does not know of;
no own cross; nothing off tick and lot; no request before Retry-After is over; the maker's book equals the venue's at the same update
id; every aggregate trade accepted once or named lost, none lost while one line is well; no book built anew while one line is well;
no reconnect without a cause; the switch is fed only on proved data; nothing is left at the venue after a stop, and the ledger is the
venue's.

| Fault | Begun | Things that met it |
| --- | --- | --- |`);
for (const [name, c] of Object.entries(r.injected)) out.push(`| ${name} | ${number(c.begun)} | ${number(c.met)} |`);
out.push(`
## What is not promised

Two faults that agree with each other: data that comes late on both lines, and at the same time a probe that is answered by a replica just
as far behind. The ids are equal then, the market is taken for quiet, and quotes rest until either fault ends or the data's own
event times give it away (\`lag_max_ms\`). The venue's answer names no age of its replica, so the checker allows the switch to be fed
on data that is older by what the replica lags.`);
if (r.violations.length > 0) {
  out.push('\n## Broken\n');
  for (const v of r.violations) out.push(`- ${v.checker} ${v.symbol}: ${v.facts} (\`${v.again}\`)`);
}
console.log(out.join('\n'));
