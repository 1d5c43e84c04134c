#pragma once

#include "base/static_vector.hpp"
#include "book/book.hpp"
#include "engine/action.hpp"
#include "engine/desk.hpp"
#include "engine/input.hpp"
#include "engine/options.hpp"
#include "engine/request_counts.hpp"
#include "feed/bandwidth.hpp"
#include "feed/clock_offset.hpp"
#include "feed/lines.hpp"
#include "feed/paced_budget.hpp"
#include "feed/session.hpp"
#include "model/symbol_table.hpp"
#include "ops/status.hpp"
#include "order/ledger.hpp"
#include "order/orders.hpp"
#include "risk/limits.hpp"
#include "venue/binance/encode.hpp"
#include "venue/binance/market_decoder.hpp"
#include "venue/binance/rest_answers.hpp"
#include "venue/binance/user_decoder.hpp"
#include "venue/binance/ws_api.hpp"
#include "venue/rate_budget.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace phoenix::engine {

/// The whole market maker as one state machine: feed, books, quoting, risk, orders. Live, replay and
/// simulation run this same object; equal inputs with equal times give equal actions, byte for byte with an
/// HMAC key.
///
///     starting --clock, rules, account, listen key known--> running --StopRequested or a fatal fault-->
///     stopping --> finished
///
/// While running, each symbol is quoted only with proof: a synced book on a live connection, a user stream
/// that is live and was reconciled since it opened, a position and open orders the venue has stated. Whatever
/// takes one of these away cancels the symbol's orders in the same step.
class Engine {
 public:
  /// `run_epoch` is durable already and larger than every one used before on this account.
  Engine(Options options, venue::binance::Credentials credentials, std::uint32_t run_epoch);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Consumes one input. `now` never goes back. The first step starts the engine, whatever its input.
  void step(const Input& input, base::LocalTime now, Actions& out);
  /// When a step is next wanted without any other input. Stepping earlier is harmless.
  std::optional<base::LocalTime> next_deadline() const;

  bool is_finished() const { return phase_ == Phase::finished; }
  void fill_status(ops::Status& status, base::LocalTime now) const;

  // For checkers and tests.
  const order::Ledger& ledger() const { return ledger_; }
  const order::Orders& orders() const { return orders_; }
  const model::SymbolTable& symbols() const { return symbols_; }
  const book::Book& book(model::SymbolId symbol) const { return desk(symbol).book; }
  std::uint64_t quotes_hash(model::SymbolId symbol) const { return desk(symbol).quotes_hash; }
  /// Of each symbol, what came of the aggregate trades: see Desk.
  std::uint64_t trades_hash(model::SymbolId symbol) const { return desk(symbol).trades_hash; }
  const feed::TradeMerge& trades(model::SymbolId symbol) const { return desk(symbol).trades; }
  const feed::DepthSync& sync(model::SymbolId symbol) const { return desk(symbol).sync; }
  const feed::PriceProof& proof(model::SymbolId symbol) const { return desk(symbol).proof; }

 private:
  enum class Phase : std::uint8_t { starting, running, stopping, finished };

  /// What a question that one request can ask for several reasons is for.
  enum class Purpose : std::uint8_t { usual, probe, disarm, owner };
  /// A REST question on its way: what to do with its answer.
  struct Query {
    model::RequestId id;
    venue::binance::RequestKind kind;
    std::optional<model::SymbolId> symbol;
    base::LocalTime sent_at{};
    std::uint32_t user_stream_generation = 0;
    Purpose purpose = Purpose::usual;
    std::int64_t from_id = 0;             ///< of trades; of the order whose owner is asked for
    std::vector<model::RequestId> batch;  ///< of a batch: one for each order, in its order
  };
  /// An order request on its way over the WS-API.
  struct OrderInFlight {
    model::RequestId id;
    venue::binance::RequestKind kind;
    base::LocalTime sent_at{};
  };
  /// Work that repeats, or that is to be tried again.
  enum class Timer : std::uint8_t {
    start,
    watch,  ///< liveness, lines, the switch: everything that needs no exact instant
    clock,
    orders_check,
    position_check,
    listen_key,
    rules,
    reconcile,  ///< wanted again before its pause was over
    incomes,
    stop
  };
  static constexpr std::size_t timers_count = 10;
  /// What a stream of a connection carries.
  enum class Role : std::uint8_t { depth, ticker, mark, trades, liquidations, user };
  struct StreamOf {
    Role role = Role::user;
    model::SymbolId symbol;
  };
  /// A connection as the engine sees it, beside its session.
  struct Line {
    std::vector<StreamOf> streams;      ///< in the session's order
    std::vector<std::int16_t> indexes;  ///< by symbol and role: the session's index, -1: not carried
    std::optional<base::LocalTime> up_since, down_since;
    bool wanted = false;  ///< its loss is an accident, not a plan
    std::uint64_t opens = 0, losses = 0;
    struct Heard {
      std::uint64_t messages = 0, payload_bytes = 0;
    };
    std::vector<Heard> heard;  ///< by symbol and role, over all connections it had
  };
  /// Why a connection ended; the first three are feed::CloseWhy.
  enum class ConnectionEnd : std::uint8_t { lost, refused_busy, refused_config, stalled, replaced };
  static constexpr std::size_t connection_ends_count = 5;

  // engine.cpp: the order of a step.
  void start(base::LocalTime now);
  void expire(base::LocalTime now);
  void drain();
  void begin_running(base::LocalTime now);
  void on_pause(base::Duration pause);
  void fail(std::string reason, base::LocalTime now);
  void begin_stopping(int exit_code, std::string reason, base::LocalTime now);
  void continue_stopping(base::LocalTime now);
  enum class OrdersLeft : std::uint8_t { none, unconfirmed };
  /// The end's reason is why it stopped, then `outcome`.
  void finish(int exit_code, std::string_view outcome, OrdersLeft left = OrdersLeft::none);
  base::VenueTime venue_now() const { return clock_.to_venue(now_); }
  /// For the recording: the venue's time, or ours while the difference is not known.
  base::VenueTime recording_now() const {
    return clock_.known() ? venue_now() : base::venue_time_ns(base::ns_of(now_));
  }
  /// When, at the earliest, a request reached the venue, for what its answer says of the limits: a count of
  /// the minute before must not become one of this minute because the clock is not known better.
  base::VenueTime counted_at(base::LocalTime sent_at) const {
    return clock_.to_venue(sent_at) + budget_shift_ - clock_.error();
  }
  /// What the rate budget takes for the venue's time: the same within its minute, and never far back.
  base::VenueTime budget_now() const { return venue_now() + budget_shift_; }
  Desk& desk(model::SymbolId symbol);
  const Desk& desk(model::SymbolId symbol) const;
  void tell_streams(ConnectionId id, ops::Status& status, base::LocalTime now) const;

  // connections.cpp: sessions and what arrives on them.
  void handle(const ConnectionOpened& in);
  void handle(const FrameReceived& in);
  void handle(const PongReceived& in);
  void handle(const ConnectionClosed& in);
  void handle(const FramesDropped& in);
  void make_lines();
  std::vector<feed::StreamOptions> streams_for(ConnectionId id);
  feed::Remedy remedy() const;
  void hear(ConnectionId id, StreamOf stream, std::size_t payload_bytes);
  void count_end(ConnectionEnd end) { ++connection_ends_[static_cast<std::size_t>(end)]; }
  static std::size_t index_of(Role role, model::SymbolId symbol) {
    constexpr std::size_t places[] = {0, 1, 0, 1, 2, 0};
    return symbol.index * roles_max + places[static_cast<std::size_t>(role)];
  }
  static constexpr std::size_t roles_max = 3;  ///< of one symbol on one channel
  void perform(ConnectionId id);
  void perform_lines(Channel channel);
  /// What the lines of the log about a recorder's connections begin with.
  std::string_view tag(Channel channel) const;
  bool is_up(ConnectionId id) const { return lines_of_[engine::index_of(id)].up_since.has_value(); }
  int up_count(Channel channel) const;
  void line_up(ConnectionId id);
  void line_down(ConnectionId id, std::string_view why);
  void lost_order_path(std::string_view why);
  void replace_user_lines(std::string_view why);
  void user_events_missed();
  void claim_twins(ConnectionId id, StreamOf stream, std::int64_t position);
  void record_stall(ConnectionId id, std::size_t stream, const feed::Evidence& evidence);
  void on_market_frame(const FrameReceived& in);
  void on_user_frame(const FrameReceived& in);
  void on_order_reply(std::string_view frame);
  void on_control_reply(ConnectionId id, const venue::binance::ControlReply& reply);
  void on_depth(const model::DepthDelta& delta, std::size_t slot, base::LocalTime received);
  void on_ticker(const model::BookTicker& ticker, std::size_t slot, base::LocalTime received);
  void on_trade(const model::AggTrade& trade, std::size_t slot);
  void on_mark_price(const model::MarkPrice& mark, base::LocalTime received);
  void record_streams_down(Channel channel, std::string_view why);
  void record_streams_up(Channel channel);
  void apply_sync(Desk& desk);
  void apply_trades(Desk& desk);
  feed::Session& session(ConnectionId id) { return *sessions_[engine::index_of(id)]; }
  const feed::Session& session(ConnectionId id) const { return *sessions_[engine::index_of(id)]; }
  feed::Lines& lines(Channel channel) { return lines_[static_cast<std::size_t>(channel)]; }

  // watch.cpp: verdicts and what follows from them; the switch, the latch, the bandwidth budget.
  void watch();
  void watch_lines();
  void watch_recording();
  void watch_price(Desk& desk);
  void watch_countdown(Desk& desk);
  void watch_order_path();
  void note_verdict(Desk& desk);
  void on_probe(const Query& query, std::int64_t id);
  bool has_healthy_price(const Desk& desk) const;
  void plan_countdown();
  void kill(std::string_view reason);
  void strategy_threw(Desk& desk, std::string_view what);
  void step_traffic(int level);
  void continue_shedding();
  void renew_data_lines(std::string_view why);
  std::unique_ptr<quote::Strategy> make_strategy(const SymbolOptions& options) const;

  // guarding.cpp: what the guards of risk see and say.
  void see_touch(Desk& desk);
  void see_own_touch(Desk& desk);
  void see_standing(Desk& desk);
  std::optional<model::Price> price_of(const Desk& desk) const;
  bool judge(Desk& desk);
  void watch_guards();
  void tell_guard_events(Desk& desk);
  void tell_account_events();
  void tell_events(std::string_view symbol);
  void keep_latches(std::string_view symbol, std::string now_latched, std::string& kept);
  void keep_latch_record(std::string_view name, std::string_view text);
  void rearm(std::string_view symbol);
  void see_foreign(Desk& desk, std::int64_t order_id, std::string_view what);
  void ask_owner(Desk& desk);
  void keep_foreign(Desk& desk);
  void look_at_fit(Desk& desk);
  void observe_limits(Desk& desk);
  void restore_latches();
  void configure(Desk& desk, const SymbolOptions& wanted);
  void take(Desk& desk, const std::optional<quote::Take>& wanted);
  bool passes_gateway(Desk& desk, const order::OutRequest& request);

  // queries.cpp: REST questions and their answers.
  void handle(const RestAnswered& in);
  void handle(const RestLost& in);
  void ask(venue::binance::RequestKind kind, std::optional<model::SymbolId> symbol = {},
           Purpose purpose = Purpose::usual, std::int64_t from_id = 0);
  void call(const venue::binance::RestRequest& request, model::RequestId id, Urgency urgency);
  std::optional<Query> take_query(model::RequestId id);
  static bool is_snapshot(const Query& query) {
    return query.kind == venue::binance::RequestKind::depth && query.purpose == Purpose::usual;
  }
  std::size_t snapshots_asked() const;
  void take_listen_key(std::string key);
  void take_clock(base::LocalTime sent, base::VenueTime time);
  void on_answer(const Query& query, std::string_view body);
  void on_refusal(const Query& query, int status, std::string_view body);
  void on_query_failed(const Query& query);
  void on_exchange_info(std::string_view body);
  void on_account_settings(std::string_view body);
  std::string rules_trouble(const Desk& desk, const model::Instrument& rules) const;
  base::Duration rules_interval() const;
  void take_rules(Desk& desk, const model::Instrument& rules);
  void set_order_limits(const Desk& desk, const model::Instrument& rules);
  void on_order_answer(venue::binance::RequestKind kind, const model::OrderAnswer& answer,
                       base::LocalTime sent_at);
  void on_open_orders(const Query& query, std::string_view body);
  void on_positions(const Query& query, std::string_view body);
  void on_user_trades(const Query& query, std::string_view body);
  void on_owner(const Query& query, std::string_view body);
  void ask_incomes();
  void incomes_changed();
  void on_incomes(const Query& query, std::string_view body);
  void on_batch(const Query& query, int status, std::string_view body);
  void banned(base::Duration wait);
  void observe_usage(const RestAnswered& in, base::LocalTime sent_at);
  void check_started();
  void reconcile();

  // trading.cpp: from books and positions to order requests.
  void consider(Desk& desk);
  void consider_all();
  /// Empty when the symbol's price is proved and in time; else why not.
  std::string_view market_reason(const Desk& desk) const;
  /// Empty when the symbol may be quoted; else why not.
  std::string_view hold_reason(const Desk& desk) const;
  bool quotes_any() const {
    return std::any_of(desks_.begin(), desks_.end(), [](const Desk& d) { return d.is_quoted(); });
  }
  enum class Was : std::uint8_t { quoting, held };
  void withdraw(Desk& desk, std::string_view reason, Was was);
  std::optional<model::TopOfBook> top_of(const Desk& desk) const;
  std::optional<model::Price> other_best(const Desk& desk, model::Side side) const;
  void tell_quality(Desk& desk, const model::OrderRequest& request);
  int places_room();
  /// Which limit a 429 with this code is about.
  static venue::LimitKind limit_of(int code);
  void spend(venue::binance::RequestKind kind, const venue::Cost& cost) {
    budget_.spend(cost, budget_now());
    request_counts_.spent(kind, cost.weight);
  }
  void send_orders();
  void send_order(const order::OutRequest& request);
  void send_rest();
  void keep_order(model::SymbolId symbol, model::ClientOrderId id, std::optional<order::DoneReason> done);
  void settle_events();
  void settle_each();

  void handle(const Tick&) {}
  void handle(const TrafficMeasured& in);
  void handle(const LatchChanged& in);
  void handle(const GuardsRearmed& in) { rearm(in.symbol); }
  void handle(const OptionsChanged& in);
  void handle(const OrdersClaimed& in);
  void handle(const HoldAsked& in);
  void handle(const StopRequested&);

  template <class... Args>
  void note(Severity severity, fmt::format_string<Args...> format, Args&&... args) {
    note_text_.clear();
    fmt::format_to(std::back_inserter(note_text_), format, std::forward<Args>(args)...);
    out_->push(Note{severity, out_->keep({note_text_.data(), note_text_.size()})});
  }
  template <class... Args>
  void record(ops::IncidentKind kind, std::string_view subject, std::string_view what, base::Duration cost,
              fmt::format_string<Args...> format, Args&&... args) {
    note_text_.clear();
    fmt::format_to(std::back_inserter(note_text_), format, std::forward<Args>(args)...);
    out_->push(RecordIncident{kind, base::ShortText<32>{subject.substr(0, 32)},
                              base::ShortText<64>{what.substr(0, 64)}, cost,
                              out_->keep({note_text_.data(), note_text_.size()})});
  }
  std::optional<base::LocalTime>& timer(Timer t) { return timers_[static_cast<std::size_t>(t)]; }

  Options options_;
  std::uint32_t run_epoch_;
  model::SymbolTable symbols_;
  Phase phase_ = Phase::starting;
  base::LocalTime now_{};
  base::LocalTime received_{};  ///< of the frame or answer this step is about; else its time
  bool started_ = false;
  Actions* out_ = nullptr;  ///< of the step that runs
  fmt::memory_buffer note_text_;

  venue::binance::KeyType key_type_;
  venue::binance::Encoder encoder_;
  venue::binance::RequestBuffer buffer_;
  venue::binance::MarketDecoder market_decoder_;
  venue::binance::UserDecoder user_decoder_;
  venue::binance::WsApiDecoder ws_decoder_;
  venue::binance::RestDecoder rest_decoder_;
  venue::RateBudget budget_;
  feed::ClockOffset clock_;
  base::Duration budget_shift_{};   ///< whole minutes
  base::LocalTime banned_until_{};  ///< by the venue

  feed::PacedBudget connect_budget_{feed::connect_budget};
  /// Snapshots and pages of trades: 20 of weight each, so that a storm of holes takes 1,300 of the venue's
  /// 2,400 a minute and there is one to be had soon after its end, whatever it took.
  feed::PacedBudget snapshots_;
  feed::PacedBudget trade_pages_{{.attempts = 40, .burst = 15, .window = base::minutes{1}}};
  std::vector<feed::Lines> lines_;  ///< of the three stream channels
  feed::Lines::Actions lines_actions_;
  std::array<std::unique_ptr<feed::Session>, connections_count> sessions_;
  std::array<Line, connections_count> lines_of_;
  std::array<ops::ConnectionStatus, connections_count> connection_status_{};
  feed::Session::Actions session_actions_;
  std::int64_t control_id_ = 1;
  std::string listen_key_;
  std::uint32_t user_stream_generation_ = 0;          ///< raised when user events may have been missed
  std::optional<base::LocalTime> user_missed_since_;  ///< for the incident log
  base::LocalTime reconciled_at_{};                   ///< when the venue was last asked to state everything
  base::Duration reconcile_pause_{};                  ///< until the next time
  base::LocalTime started_at_{};
  bool logged_on_ = false;
  std::optional<model::RequestId> logon_request_;

  std::deque<Desk> desks_;  ///< by SymbolId; never moved
  std::vector<Query> queries_;
  std::vector<OrderInFlight> orders_in_flight_;
  std::uint64_t next_request_ = 1;
  std::array<std::optional<base::LocalTime>, timers_count> timers_{};
  bool rules_known_ = false, account_known_ = false;
  int depth_speed_ms_ = 0;  ///< in force: the configured one, or slower to save bandwidth
  feed::Bandwidth bandwidth_;
  std::optional<order::SwitchPlan> switch_plan_;
  std::optional<std::string> latched_;   ///< why, while the kill latch is set
  base::LocalTime rules_asked_{};        ///< because of a refusal
  base::LocalTime recording_checked_{};  ///< when the age of recorded streams was last looked at
  base::LocalTime renewed_late_{};       ///< when lines were last replaced because their data came late

  risk::Limits limits_;
  risk::AccountGuard account_guard_;
  risk::Gateway gateway_;
  risk::GuardEvents guard_events_;
  std::string account_latches_;         ///< as last kept
  base::LocalTime quality_advanced_{};  ///< when the figures of quality were last brought up to date
  order::Orders orders_;
  order::Ledger ledger_;
  order::Requests requests_, sending_;
  order::Requests rest_waiting_;  ///< of a lane, to go by REST
  base::VenueTime incomes_asked_from_{};
  order::OrderEvents events_;
  feed::SyncActions sync_actions_;
  feed::TradeActions trade_actions_;
  quote::Decision decision_;

  int stop_code_ = 0;
  std::string stop_reason_;
  base::LocalTime stop_deadline_{};
  std::uint64_t frames_ = 0, frames_bad_ = 0, events_unknown_ = 0, frames_ignored_ = 0, foreign_orders_ = 0,
                position_mismatches_ = 0, reconnects_ = 0;
  RequestCounts request_counts_;
  std::array<std::uint64_t, risk::reasons_count> guards_entered_{};
  std::array<std::uint64_t, connection_ends_count> connection_ends_{};
  std::optional<base::LocalTime> last_user_event_;
  base::StaticVector<venue::RateLimit, 8> rate_limits_;
};

}  // namespace phoenix::engine
