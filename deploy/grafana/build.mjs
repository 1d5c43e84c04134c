// Writes dashboards/*.json. They are what Grafana loads; this is where they are changed:
//
//   node deploy/grafana/build.mjs [FOLDER]
//
// Every query names only what docs/metrics.md lists; tests/e2e/grafana_test.mjs asks each of them of a running Phoenix.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = process.argv[2] ?? fileURLToPath(new URL('dashboards', import.meta.url));
const data = { type: 'prometheus', uid: '${datasource}' };
const green = 'green', orange = 'orange', red = 'red', blue = 'blue', grey = 'text';

const of = '{instance=~"$instance"}';
const ofSymbol = '{instance=~"$instance",symbol=~"$symbol"}';
const ofSymbolOrNone = '{instance=~"$instance",symbol=~"$symbol|"}';
/// The selection of a dashboard, and more.
const also = (more, selector = of) => `${selector.slice(0, -1)},${more}}`;

const steps = (...limits) => ({
  mode: 'absolute',
  steps: limits.map((each) => (Array.isArray(each) ? { color: each[1], value: each[0] } : { color: each, value: null })),
});
/// A colour and a word for each whole number; more than one in a row reads from left to right.
const words = (list) => [{ type: 'value', options: Object.fromEntries(list.map(([text, color], index) => [index, { index, text, color }])) }];
const levels = words([['ok', green], ['warning', orange], ['severe', red]]);
const noYes = (no, yes) => words([['no', no], ['yes', yes]]);

const target = ([expr, legendFormat], index, instant) => ({
  datasource: data, refId: String.fromCharCode(65 + index), expr, legendFormat: legendFormat ?? '', ...(instant ? { instant: true } : { range: true }),
});

const panel = (type, title, description, queries, { unit = 'short', thresholds = steps(green), mappings = [], decimals, min, max, custom = {}, options = {}, instant = false, width = 8, height = 7 } = {}) => ({
  type, title, description, datasource: data, width, height,
  targets: queries.map((query, index) => target(query, index, instant)),
  fieldConfig: {
    defaults: {
      unit, thresholds, mappings, custom, color: { mode: type === 'timeseries' ? 'palette-classic' : 'thresholds' },
      ...(decimals === undefined ? {} : { decimals }), ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }),
    },
    overrides: [],
  },
  options,
});

/// One figure, with what it was in the background.
const stat = (title, description, queries, more = {}) => panel('stat', title, description, queries, {
  width: 4, height: 4, ...more,
  options: {
    reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false }, colorMode: 'background', graphMode: 'none', justifyMode: 'center',
    textMode: 'auto', orientation: 'auto', ...more.options,
  },
});
const graph = (title, description, queries, more = {}) => panel('timeseries', title, description, queries, {
  ...more,
  custom: {
    drawStyle: 'line', lineInterpolation: 'linear', lineWidth: 1, fillOpacity: 8, showPoints: 'never', spanNulls: false,
    thresholdsStyle: { mode: more.thresholds ? 'line' : 'off' }, stacking: { mode: 'none', group: 'A' }, ...more.custom,
  },
  options: { legend: { displayMode: 'list', placement: 'bottom', showLegend: true }, tooltip: { mode: 'multi', sort: 'desc' }, ...more.options },
});
const stacked = (title, description, queries, more = {}) => graph(title, description, queries, { ...more, custom: { fillOpacity: 40, stacking: { mode: 'normal', group: 'A' } } });
/// What state each of several things was in, over time.
const timeline = (title, description, queries, more = {}) => panel('state-timeline', title, description, queries, {
  ...more, custom: { fillOpacity: 80, lineWidth: 0 },
  options: { showValue: 'never', rowHeight: 0.85, mergeValues: true, alignValue: 'left', legend: { displayMode: 'list', placement: 'bottom', showLegend: false }, tooltip: { mode: 'single' } },
});
const row = (title) => ({ type: 'row', title, collapsed: false, panels: [], width: 24, height: 1 });

const quantiles = (metric, by, selector, shares = [0.5, 0.99]) => shares.map((share) => [
  `histogram_quantile(${share}, sum by (${['le', ...by].join(', ')}) (rate(${metric}_bucket${selector}[$__rate_interval])))`,
  `${by.map((label) => `{{${label}}}`).join(' ')} p${share * 100}`,
]);
const rate = (metric, selector = of) => `rate(${metric}${selector}[$__rate_interval])`;
const increase = (metric, selector = of) => `increase(${metric}${selector}[$__rate_interval])`;

const query = (name, label, definition, { multi, all }) => ({
  type: 'query', name, label, datasource: data, definition, query: { query: definition, refId: name }, refresh: 2, sort: 1, hide: 0, multi, includeAll: all,
  ...(all ? { allValue: '.*', current: { text: ['All'], value: ['$__all'] } } : {}),
});

/// From left to right, as many a line as fit in its 24 columns.
function place(panels) {
  let x = 0, y = 0, line = 0;
  return panels.map(({ width, height, ...rest }, index) => {
    if (x + width > 24 || rest.type === 'row') { x = 0; y += line; line = 0; }
    const placed = { id: index + 1, gridPos: { x, y, w: width, h: height }, ...rest };
    x += width;
    line = Math.max(line, height);
    return placed;
  });
}

const dashboard = (uid, title, description, panels, { symbols = true } = {}) => ({
  uid: `phoenix-${uid}`, title: `Phoenix / ${title}`, description, tags: ['phoenix'], schemaVersion: 38, version: 1, editable: true, graphTooltip: 1,
  timezone: 'browser', time: { from: 'now-1h', to: 'now' }, refresh: '5s', fiscalYearStartMonth: 0, liveNow: false, weekStart: '', style: 'dark',
  timepicker: { refresh_intervals: ['1s', '5s', '10s', '30s', '1m', '5m'] },
  links: [{ type: 'dashboards', title: 'Phoenix', tags: ['phoenix'], asDropdown: false, includeVars: true, keepTime: true, targetBlank: false, icon: 'external link', tooltip: '', url: '' }],
  annotations: {
    list: [{
      name: 'Alerts', enable: true, hide: false, iconColor: 'red', datasource: data, titleFormat: '{{alert}} {{symbol}}', tagKeys: 'level',
      expr: `phoenix_alert_active${of}`, step: '5s',
    }],
  },
  templating: {
    list: [
      { type: 'datasource', name: 'datasource', label: 'Data source', query: 'prometheus', hide: 0, multi: false, includeAll: false, refresh: 1, regex: '' },
      query('instance', 'Instance', 'label_values(phoenix_build_info, instance)', { multi: true, all: true }),
      ...(symbols ? [query('symbol', 'Symbol', 'label_values(phoenix_symbol_live{instance=~"$instance"}, symbol)', { multi: true, all: true })] : []),
    ],
  },
  panels: place(panels),
});

const verdict = stat('Verdict', 'The worst of the checks of `phoenix health`. Below stands which one; `phoenix health` also says what helps.',
  [[`max(phoenix_health_level${of})`]], { mappings: levels, thresholds: steps(green, [1, orange], [2, red]) });
const alerts = stat('Alerts in force', 'How many rules of docs/alerts.md are in force now.', [[`count(phoenix_alert_active${of}) or vector(0)`]], { thresholds: steps(green, [1, orange]), decimals: 0 });
const running = stat('Running for', 'Since the run began; a restart begins anew.', [[`min(time() - phoenix_start_time_seconds${of})`]], { unit: 's', thresholds: steps(blue) });
const holds = timeline('Why a symbol is not quoted', 'The first reason that keeps a symbol from being quoted; nothing here: all may be. The reasons are explained by `phoenix doctor`.',
  [[`phoenix_symbol_hold${ofSymbol}`, '{{symbol}}: {{reason}}']], { thresholds: steps(orange), width: 12 });
const lag = graph('Age of depth when it arrives', 'From the venue\'s own time of an event until the engine takes it: half and 99 of 100 events are younger.',
  quantiles('phoenix_market_data_delay_seconds', ['symbol'], ofSymbol), { unit: 's', min: 0 });

const overview = dashboard('overview', 'Overview', 'Is it well, and does it earn? What each figure means: docs/metrics.md; what to do: docs/alerts.md.', [
  verdict,
  stat('May be quoted', 'Symbols whose price is proved and that nothing holds, of all.', [[`sum(phoenix_symbol_live${of})`, 'now'], [`count(phoenix_symbol_live${of})`, 'of']], { thresholds: steps(blue), decimals: 0 }),
  alerts,
  stat('Kill latch', 'Set: nothing is quoted until `phoenix emergency re-arm`.', [[`max(phoenix_kill_latched${of})`]], { mappings: words([['not set', green], ['SET', red]]), thresholds: steps(green, [1, red]) }),
  stat('Result', 'Realised - fees + funding + unrealised of all symbols and runs. Empty while a price is missing, and where nothing is traded.', [[`sum(phoenix_account_equity${of})`]], { thresholds: steps(red, [0, green]), decimals: 2 }),
  running,
  timeline('Checks', 'What `phoenix health` says, check by check.', [[`max by (instance, check) (phoenix_health_level${of})`, '{{check}}']], { mappings: levels, thresholds: steps(green, [1, orange], [2, red]), width: 12 }),
  holds,
  graph('Result by symbol', 'Realised - fees + funding + unrealised.', [[`phoenix_total_pnl${ofSymbol}`, '{{symbol}}']], { decimals: 2 }),
  graph('Position over its limit', 'The guards of risk act from 50 % on.', [[`phoenix_position_usage${ofSymbol}`, '{{symbol}}']], { unit: 'percentunit', min: 0, thresholds: steps(green, [0.8, orange], [1, red]) }),
  graph('Orders resting', 'Own orders on the venue by side.', [[`sum by (symbol, side) (phoenix_orders_live${ofSymbol})`, '{{symbol}} {{side}}']], { decimals: 0, min: 0 }),
  graph('Age of the price\'s proof', 'What rests is withdrawn when this reaches stall_after_ms.', [[`phoenix_price_proof_age_seconds${ofSymbol}`, '{{symbol}}']], { unit: 's', min: 0 }),
  graph('Received on the wire', 'All connections together, and the budget where there is one.', [[`sum by (instance) (phoenix_bandwidth_bytes_per_second${of})`, '{{instance}}'], [`sum by (instance) (phoenix_bandwidth_budget_bytes_per_second${of}) > 0`, '{{instance}} budget']], { unit: 'Bps', min: 0 }),
  graph('How fast it is', 'Of 100 updates 99 are quicker. tick_to_order: from a frame read off the socket to the order that answers it.',
    quantiles('phoenix_stage_duration_seconds', ['stage'], of, [0.99]), { unit: 's', min: 0 }),
  graph('Errors a minute', 'As `phoenix health` counts them: warning from 5, severe from 10.', [[`rate(phoenix_error_count_total${of}[1m]) * 60`, '{{instance}}']], { min: 0, thresholds: steps(green, [5, orange], [10, red]) }),
  graph('Processor', 'Of all threads; 100 % is one core.', [[rate('phoenix_process_cpu_seconds_total'), '{{instance}}']], { unit: 'percentunit', min: 0 }),
  graph('Memory', 'Resident.', [[`phoenix_process_resident_bytes${of}`, '{{instance}}']], { unit: 'bytes', min: 0 }),
]);

const feeds = dashboard('feeds', 'Feeds', 'Is what is known of the market true, and what does it cost? The words are those of docs/metrics.md and ARCHITECTURE.md.', [
  row('The price of each symbol'),
  timeline('Verdict', 'live: the stream brings news; quiet: a probe showed that there is none; unknown, stalled: quotes leave.', [[`phoenix_symbol_verdict${ofSymbol}`, '{{symbol}}: {{verdict}}']], { thresholds: steps(blue), width: 12 }),
  holds,
  graph('Age of its proof', 'What rests is withdrawn when this reaches stall_after_ms.', [[`phoenix_price_proof_age_seconds${ofSymbol}`, '{{symbol}}']], { unit: 's', min: 0 }),
  lag,
  graph('Books built anew, withdrawals', 'Each is something that went wrong and was answered.', [[increase('phoenix_book_resync_total', ofSymbol), '{{symbol}} resyncs'], [increase('phoenix_withdrawal_total', ofSymbol), '{{symbol}} withdrawals'], [increase('phoenix_id_probe_total', ofSymbol), '{{symbol}} probes']], { decimals: 0, min: 0 }),
  row('Streams and connections'),
  timeline('Streams that are not live', 'By symbol, what they carry, and connection. While another line delivers, the price stays proved.',
    [[`phoenix_stream_state${also('state!="live"', ofSymbolOrNone)}`, '{{symbol}} {{role}} {{stream}}: {{state}}']], { thresholds: steps(orange), width: 12, height: 9 }),
  timeline('Connections', 'Delivering or not, of those that are wanted.', [[`phoenix_ws_connected${of} and on (instance, stream) phoenix_ws_wanted${of} == 1`, '{{stream}}']], { mappings: noYes(red, green), thresholds: steps(red, [1, green]), width: 12, height: 9 }),
  graph('Why connections ended', 'lost: closed or not reached; refused_busy: 429 or 418; refused_config: another 4xx; stalled: one of its streams was; replaced: ours for another reason.', [[increase('phoenix_connection_end_total'), '{{reason}}']], { decimals: 0, min: 0 }),
  graph('Round trip of a ping', 'Of each connection.', [[`phoenix_ws_ping_round_trip_seconds${of}`, '{{stream}}']], { unit: 's', min: 0 }),
  graph('Holes, and trades lost', 'Holes in one line, which the other may close; trades fetched again; trades that will not come any more.', [[increase('phoenix_line_hole_total', ofSymbol), '{{symbol}} holes'], [increase('phoenix_agg_trade_repaired_total', ofSymbol), '{{symbol}} repaired'], [increase('phoenix_agg_trade_lost_total', ofSymbol), '{{symbol}} lost']], { decimals: 0, min: 0 }),
  row('Traffic'),
  stacked('On the wire', 'Received, by connection.', [[rate('phoenix_ws_wire_received_bytes_total'), '{{stream}}']], { unit: 'Bps', min: 0 }),
  graph('Saved by compression', 'Payload over what came on the wire; 1 is nothing saved.', [[`sum by (stream) (${rate('phoenix_ws_payload_bytes_total')}) / (sum by (stream) (${rate('phoenix_ws_wire_received_bytes_total')}) > 0)`, '{{stream}}']], { decimals: 2, min: 0 }),
  stacked('Payload by what it carries', 'Inflated, of all connections.', [[`sum by (role) (${rate('phoenix_stream_payload_bytes_total')})`, '{{role}}']], { unit: 'Bps', min: 0 }),
  graph('First and second line', 'Depth and trades a second: taken from a connection, and covered, since the other line had brought them.', [[`sum by (stream) (${rate('phoenix_stream_accepted_total', ofSymbol)})`, '{{stream}} taken'], [`sum by (stream) (${rate('phoenix_stream_covered_total', ofSymbol)})`, '{{stream}} covered']], { unit: 'cps', min: 0 }),
  graph('Step-down', '0: everything is subscribed to; each step takes less to stay within the bandwidth budget.', [[`phoenix_bandwidth_step${of}`, '{{instance}}']], { decimals: 0, min: 0 }),
  graph('Clock', 'Venue minus this machine, and how far off that may be.', [[`phoenix_clock_offset_seconds${of}`, '{{instance}} offset'], [`phoenix_clock_error_seconds${of}`, '{{instance}} error']], { unit: 's' }),
  row('Requests'),
  graph('Rate limits used', 'Routine requests stop at 80 %; the rest is for cancels and what is vital.', [[`phoenix_rate_used${of} / (phoenix_rate_limit${of} > 0)`, '{{limit}}']], { unit: 'percentunit', min: 0, max: 1, thresholds: steps(green, [0.8, orange], [0.95, red]) }),
  stacked('Weight a minute', 'By kind of request.', [[`sum by (endpoint) (increase(phoenix_api_weight_total${of}[1m]))`, '{{endpoint}}']], { min: 0 }),
  graph('How long answers take', 'Of 100 answers of a kind 99 are quicker.', quantiles('phoenix_api_latency_seconds', ['endpoint'], of, [0.99]), { unit: 's', min: 0 }),
  graph('Refused, by code', 'The venue\'s codes; -5022 is a post-only order that would have taken.', [[increase('phoenix_api_refused_total'), '{{endpoint}} {{code}}']], { decimals: 0, min: 0 }),
  graph('Without an answer', 'An order whose answer is lost is unknown until the venue was asked.', [[increase('phoenix_api_lost_total'), '{{endpoint}}']], { decimals: 0, min: 0 }),
]);

const maker = dashboard('maker', 'Maker', 'Quotes, orders, position and results of each symbol. What the guards do: docs/configuration.md.', [
  row('Results'),
  graph('Result', 'Realised - fees + funding + unrealised, of all runs in state.db.', [[`phoenix_total_pnl${ofSymbol}`, '{{symbol}}']], { decimals: 2 }),
  graph('What it is made of', 'Of all chosen symbols together.', [[`sum(phoenix_realized_pnl${ofSymbol})`, 'realised'], [`sum(phoenix_unrealized_pnl${ofSymbol})`, 'unrealised'], [`-sum(phoenix_fees${ofSymbol})`, 'fees'], [`sum(phoenix_funding_pnl${ofSymbol})`, 'funding']], { decimals: 2 }),
  graph('Drawdown', 'The result below its peak, and the largest of this run.', [[`phoenix_drawdown${ofSymbol}`, '{{symbol}}'], [`phoenix_max_drawdown${ofSymbol}`, '{{symbol}} largest']], { decimals: 2, min: 0 }),
  graph('Fills a minute', 'All, and those that did not take.', [[`rate(phoenix_fill_count_total${ofSymbol}[5m]) * 60`, '{{symbol}}'], [`rate(phoenix_fill_maker_total${ofSymbol}[5m]) * 60`, '{{symbol}} maker']], { min: 0 }),
  graph('Move after our fills', 'Basis points of the mid in our favour, by volume: below zero, those who trade with us know better.', [[`phoenix_markout_bps${ofSymbol}`, '{{symbol}} {{horizon}}']], { decimals: 2, thresholds: steps(red, [0, green]) }),
  graph('Bought and sold a minute', 'Base units: bid bought, ask sold.', [[`rate(phoenix_fill_size_total${ofSymbol}[5m]) * 60`, '{{symbol}} {{side}}']], { min: 0 }),
  row('Position and risk'),
  graph('Position', 'Signed, in base units, with its limit.', [[`phoenix_position_size${ofSymbol}`, '{{symbol}}'], [`phoenix_position_limit${ofSymbol}`, '{{symbol}} limit']], {}),
  graph('Position over its limit', 'Usage, and what it would be if all bids or all asks filled.', [[`phoenix_position_usage${ofSymbol}`, '{{symbol}}'], [`abs(phoenix_worst_case_long${ofSymbol}) / (phoenix_position_limit${ofSymbol} > 0)`, '{{symbol}} all bids'], [`abs(phoenix_worst_case_short${ofSymbol}) / (phoenix_position_limit${ofSymbol} > 0)`, '{{symbol}} all asks']], { unit: 'percentunit', min: 0, thresholds: steps(green, [0.8, orange], [1, red]) }),
  timeline('Guards', 'What each guard leaves possible.', [[`phoenix_guard_level${ofSymbol}`, '{{symbol}}']], {
    mappings: words([['normal', green], ['warn', 'yellow'], ['block', orange], ['reduce_only', orange], ['flatten', red], ['reduce', red], ['close', red], ['halt', 'dark-red']]), thresholds: steps(green, [1, 'yellow'], [2, orange], [4, red]) }),
  timeline('Guards in force', 'By reason; one without a symbol is the account\'s.', [[`phoenix_guard_active${ofSymbolOrNone}`, '{{symbol}} {{reason}}']], { thresholds: steps(orange) }),
  graph('Quotes cut by risk', 'By limit, a second.', [[rate('phoenix_risk_cut_reason_total'), '{{reason}}']], { unit: 'cps', min: 0 }),
  graph('Worst case', 'Value of all positions if every order of one side filled, and its cap.', [[`phoenix_worst_case_notional${of}`, '{{instance}}'], [`phoenix_total_notional_limit${of} > 0`, '{{instance}} cap'], [`phoenix_total_notional${of}`, '{{instance}} now']], { min: 0 }),
  row('Quotes and orders'),
  graph('Wanted and resting', 'Quotes of the last set, and own orders on the venue.', [[`sum by (symbol) (phoenix_quotes_wanted${ofSymbol})`, '{{symbol}} wanted'], [`sum by (symbol) (phoenix_orders_live${ofSymbol})`, '{{symbol}} resting'], [`phoenix_orders_unknown${ofSymbol} > 0`, '{{symbol}} unknown']], { decimals: 0, min: 0 }),
  graph('Distance from the mid', 'Of the best own quote.', [[`phoenix_quote_distance${ofSymbol}`, '{{symbol}} {{side}}'], [`phoenix_price_spread${ofSymbol} / 2`, '{{symbol}} half the spread']], { unit: 'percentunit', decimals: 4, min: 0 }),
  graph('At the touch', 'Share of the last 5 minutes with an own order at the best price.', [[`phoenix_touch_presence${ofSymbol}`, '{{symbol}} {{side}}']], { unit: 'percentunit', min: 0, max: 1 }),
  graph('Requests a second', 'Orders placed, amended and cancelled.', [[`sum(${rate('phoenix_place_count_total', ofSymbol)})`, 'place'], [`sum(${rate('phoenix_amend_count_total', ofSymbol)})`, 'amend'], [`sum(${rate('phoenix_cancel_count_total', ofSymbol)})`, 'cancel'], [`sum(${rate('phoenix_take_count_total', ofSymbol)})`, 'take']], { unit: 'cps', min: 0 }),
  graph('From wanting to resting', 'An order is wanted and sent, until the venue says that it rests: half and 99 of 100 are quicker.', quantiles('phoenix_order_placement_duration_seconds', ['symbol'], ofSymbol), { unit: 's', min: 0 }),
  graph('Refused', 'Order requests the venue refused, and those that the gateway held back.', [[`sum by (symbol) (${increase('phoenix_order_reject_total', ofSymbol)})`, '{{symbol}} refused'], [`sum by (symbol) (${increase('phoenix_post_only_reject_total', ofSymbol)})`, '{{symbol}} would take'], [`sum by (reason) (${increase('phoenix_gateway_refused_total')})`, 'held back: {{reason}}']], { decimals: 0, min: 0 }),
  graph('Fill rate', 'Filled over placed quantity, 5 minutes.', [[`phoenix_fill_rate${ofSymbol}`, '{{symbol}}']], { unit: 'percentunit', min: 0 }),
  graph('Orders for a fill', '5 minutes.', [[`phoenix_orders_per_fill${ofSymbol}`, '{{symbol}}']], { min: 0 }),
  timeline('Dead man\'s switch', 'Armed: the venue cancels this symbol\'s orders by itself when nobody tells it to wait.', [[`phoenix_switch_armed${ofSymbol}`, '{{symbol}}']], { mappings: noYes(orange, green), thresholds: steps(orange, [1, green]) }),
  row('What the strategy is told'),
  graph('Volatility', 'Deviation of 30 minutes of mids over their mean.', [[`phoenix_volatility_ratio${ofSymbol}`, '{{symbol}}']], { unit: 'percentunit', decimals: 3, min: 0 }),
  graph('One-sided volume', 'VPIN: 0 both sides alike, 1 one side only.', [[`phoenix_vpin_current${ofSymbol}`, '{{symbol}}']], { min: 0, max: 1 }),
  timeline('Mode', 'How the strategy handles its position.', [[`phoenix_strategy_mode${ofSymbol}`, '{{symbol}}']], { mappings: words([['normal', green], ['pinning', orange], ['grinding', red]]), thresholds: steps(green, [1, orange], [2, red]) }),
]);

const recorder = dashboard('recorder', 'Recorder', 'Is everything kept, and how long does the disk last? docs/recording.md; a recorder inside `phoenix run` is here, too.', [
  stat('Recording', 'Whether this process records.', [[`max(phoenix_recording_active${of})`]], { mappings: noYes(grey, green), thresholds: steps(grey, [1, green]) }),
  stat('Newest row in a file', 'The age of what would survive the loss of this machine\'s memory as Parquet. What is younger is in the journal.', [[`max(phoenix_recording_last_durable_age_seconds${of})`]], { unit: 's', thresholds: steps(green, [180, orange], [300, red]) }),
  stat('Not yet on disk', 'The age of the oldest record that is not synced: what a power cut would take.', [[`max(phoenix_journal_sync_lag_seconds${of})`]], { unit: 's', thresholds: steps(green, [2, orange], [10, red]) }),
  stat('Disk lasts', 'At the present rate; empty while that is not known.', [[`min(phoenix_recording_disk_hours_left${of})`]], { unit: 'h', thresholds: steps(red, [2, orange], [24, green]) }),
  stat('Lost', 'Records the journal had no room for, or that could not be read, and trades that will not come any more, in the chosen time.', [[`sum(increase(phoenix_journal_lost_total${of}[$__range])) + sum(increase(phoenix_recording_records_lost_total${of}[$__range])) + sum(increase(phoenix_agg_trade_lost_total${of}[$__range]))`]], { decimals: 0, thresholds: steps(green, [1, red]) }),
  stat('Faults', 'Something of the recording fails and is tried again; `phoenix status` says what.', [[`max(phoenix_recording_faulty${of})`]], { mappings: words([['none', green], ['FAILS', red]]), thresholds: steps(green, [1, red]) }),
  row('What comes in'),
  graph('Rows a second', 'Of all kinds, by symbol.', [[rate('phoenix_recorded_rows_total', ofSymbol), '{{symbol}}']], { unit: 'cps', min: 0 }),
  graph('Trades a second', 'Each id once.', [[rate('phoenix_agg_trade_total', ofSymbol), '{{symbol}}']], { unit: 'cps', min: 0 }),
  lag,
  graph('Holes and repairs', 'Holes in one line of depth; trades fetched again; trades lost; books built anew.', [[increase('phoenix_line_hole_total', ofSymbol), '{{symbol}} holes'], [increase('phoenix_agg_trade_repaired_total', ofSymbol), '{{symbol}} repaired'], [increase('phoenix_agg_trade_lost_total', ofSymbol), '{{symbol}} lost'], [increase('phoenix_book_resync_total', ofSymbol), '{{symbol}} resyncs']], { decimals: 0, min: 0 }),
  graph('Kept by the second line', 'Depth and trades that one line brought first, by connection. With two lines each brings some.', [[`sum by (stream) (${rate('phoenix_stream_accepted_total', ofSymbol)})`, '{{stream}}']], { unit: 'cps', min: 0 }),
  timeline('Streams that are not live', 'By symbol, what they carry, and connection.', [[`phoenix_stream_state${also('state!="live"', ofSymbol)}`, '{{symbol}} {{role}} {{stream}}: {{state}}']], { thresholds: steps(orange) }),
  row('Journal'),
  graph('Written', 'To the journal.', [[rate('phoenix_journal_bytes_total'), '{{instance}}']], { unit: 'Bps', min: 0 }),
  graph('Age of the oldest record that is not synced', 'Under 1 s while the disk keeps up.', [[`phoenix_journal_sync_lag_seconds${of}`, '{{instance}}'], [`phoenix_journal_sync_max_seconds${of}`, '{{instance}} longest sync']], { unit: 's', min: 0 }),
  graph('Rings at their fullest', 'Highest fill since the start; at 100 % something was refused.', [[`phoenix_ring_high_water${also('ring!="commands"')} / (phoenix_ring_capacity${also('ring!="commands"')} > 0)`, '{{ring}}']], { unit: 'percentunit', min: 0, max: 1, thresholds: steps(green, [0.5, orange], [0.9, red]) }),
  row('Files'),
  graph('Segments waiting', 'Sealed and not in files yet: a backlog that grows needs a faster disk or more `save_concurrency`.', [[`phoenix_recording_backlog_segments${of}`, '{{instance}}']], { decimals: 0, min: 0 }),
  graph('Rows into files', 'A second, committed.', [[rate('phoenix_recording_rows_durable_total'), '{{instance}}']], { unit: 'cps', min: 0 }),
  graph('Refused or failed', 'Rows the quality gate refused, conversions tried again, segments given up, records that could not be read.', [[increase('phoenix_recording_rows_refused_total'), '{{instance}} rows refused'], [increase('phoenix_recording_conversion_failed_total'), '{{instance}} conversions'], [increase('phoenix_journal_segments_dead_total'), '{{instance}} segments'], [increase('phoenix_recording_records_lost_total'), '{{instance}} records']], { decimals: 0, min: 0 }),
  graph('Size', 'Of the recording, and what is free on its disk.', [[`phoenix_recording_bytes${of}`, '{{instance}} recording'], [`phoenix_recording_disk_free_bytes${of}`, '{{instance}} free']], { unit: 'bytes', min: 0 }),
  graph('Files', 'Committed, and taken away by retention, in each interval.', [[increase('phoenix_recording_files_total'), '{{instance}} committed'], [increase('phoenix_recording_files_retired_total'), '{{instance}} retired']], { decimals: 0, min: 0 }),
  timeline('Extreme mode', 'Segments rotate faster because of much traffic.', [[`phoenix_recording_extreme_mode${of}`, '{{instance}}']], { mappings: noYes(green, orange), thresholds: steps(green, [1, orange]) }),
]);

for (const made of [overview, feeds, maker, recorder]) {
  writeFileSync(join(folder, `${made.uid}.json`), JSON.stringify(made, null, 1) + '\n');
}
