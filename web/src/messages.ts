// What comes over /live, as docs/dashboard.md describes it, and the part of the status that is shown.

export interface Guard {
  level: number;
  level_name: string;
  reason: string | null;
  in_force: { reason: string; latched: boolean }[];
}

export interface SymbolStatus {
  symbol: string;
  state: string;
  reason: string | null;
  quoted: boolean;
  recorded: boolean;
  base_asset: string | null;
  quote_asset: string | null;
  mid: number | null;
  best_bid: number | null;
  best_ask: number | null;
  own_bid: number | null;
  own_ask: number | null;
  verdict: string;
  proof_age_ms: number | null;
  lag_ms: number;
  orders_live: number;
  orders_bid: number;
  orders_ask: number;
  orders_unknown: number;
  switch_armed: boolean;
  mode: string | null;
  mode_reason: string | null;
  position: number;
  position_limit: number;
  entry_price: number | null;
  notional: number;
  usage_ratio: number | null;
  worst_long: number;
  worst_short: number;
  realized_pnl: number;
  unrealized_pnl: number;
  fees: number;
  funding_pnl: number;
  net_pnl: number;
  drawdown: number;
  volume: number;
  guard: Guard;
  quality: {
    markout_1s_bps: number | null;
    markout_5s_bps: number | null;
    markout_30s_bps: number | null;
    bid_presence: number | null;
    ask_presence: number | null;
    fill_rate: number | null;
  };
  counts: { fills: number; withdrawals: number; resyncs: number };
  rows_recorded: number;
}

export interface ConnectionStatus {
  connection: string;
  state: string;
  wanted: boolean;
  age_ms: number | null;
  streams: number;
  streams_silent: number;
  reconnects: number;
  messages: number;
  payload_bytes: number;
  wire_received_bytes: number;
  wire_sent_bytes: number;
  ping_ms: number | null;
}

export interface Used { used: number; limit: number }

export interface Status {
  version: string;
  time_unix_ms: number;
  age_ms: number;
  phase: string;
  run_epoch: number;
  uptime_ms: number;
  paper: boolean;
  limited: boolean;
  latched: boolean;
  latch_reason: string | null;
  health: {
    level: string;
    ready: boolean;
    checks: { check: string; level: string; what: string; help: string | null }[];
  };
  alerts: { alert: string; symbol: string | null; level: number; age_ms: number; text: string }[];
  symbols: SymbolStatus[];
  account: {
    equity: number | null;
    drawdown: number;
    worst_notional: number;
    total_notional_limit: number;
    foreign_orders: number;
    guard: Guard;
  };
  connections: ConnectionStatus[];
  traffic: {
    lines: number;
    bandwidth_step: number;
    bytes_per_s: number;
    budget_bytes_per_s: number;
    connects: number;
    reconnects: number;
  };
  limits: { weight_1m: Used; orders_10s: Used; orders_1m: Used };
  clock: { offset_ms: number | null; error_ms: number | null; switch_countdown_ms: number | null };
  recording: {
    active: boolean;
    fault: string | null;
    journal_bytes: number;
    sync_lag_ms: number;
    segments_waiting: number;
    files: number;
    rows_durable: number;
    records_lost: number;
    last_durable_age_ms: number | null;
    disk_free_bytes: number;
    disk_hours_left: number | null;
  };
}

export interface Hello {
  type: 'hello';
  version: string;
  run: number;
  actions: boolean;
  pausing: boolean;
  faults: boolean;
  symbols: string[];
}

export interface LiveEvent {
  number: number;
  at_ms: number;
  kind: string;
  symbol: string;
  what: string;
  evidence?: string;
  cost_ms?: number;
  side?: 'bid' | 'ask';
  price?: string;
  qty?: string;
}

/// Side, price, what rests there in the market, ours of it, ours on its way in or out.
export type LadderRow = ['bid' | 'ask', string, string, string, string];
export interface Ladder { type: 'ladder'; symbol: string; at_ms: number; rows: LadderRow[] }

/// Time, mid, own bid, own ask, position, net result.
export type Sample = [number, number | null, number | null, number | null, number, number];

export interface Timeline {
  symbol: string;
  role: string;
  connection: string;
  line: number;
  changes: [number, string, string][];
}

/// Minute since 1970, seconds looked at, seconds with proved data, rows, trades lost, resyncs.
export type CoverageMinute = [number, number, number, number, number, number];
export interface SymbolCoverage { symbol: string; minutes: CoverageMinute[] }

export type Message =
  | Hello
  | { type: 'locked' }
  | { type: 'status'; status: Status }
  | { type: 'events'; events: LiveEvent[] }
  | Ladder
  | { type: 'samples'; symbol: string; rows: Sample[] }
  | { type: 'timelines'; timelines: Timeline[] }
  | { type: 'coverage'; symbols: SymbolCoverage[] };
