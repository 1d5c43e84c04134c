#pragma once

#include "base/static_vector.hpp"
#include "book/book.hpp"
#include "engine/action.hpp"
#include "engine/desk.hpp"
#include "engine/input.hpp"
#include "engine/options.hpp"
#include "feed/clock_offset.hpp"
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

 private:
  enum class Phase : std::uint8_t { starting, running, stopping, finished };

  /// A REST question on its way: what to do with its answer.
  struct Query {
    model::RequestId id;
    venue::binance::RequestKind kind;
    std::optional<model::SymbolId> symbol;
    base::LocalTime sent_at{};
    std::uint32_t user_stream_generation = 0;
  };
  /// An order request on its way over the WS-API.
  struct OrderInFlight {
    model::RequestId id;
    venue::binance::RequestKind kind;
  };
  /// Work that repeats, or that is to be tried again.
  enum class Timer : std::uint8_t { start, clock, orders_check, position_check, listen_key, stop };
  static constexpr std::size_t timers_count = 6;

  // engine.cpp: the order of a step.
  void start(base::LocalTime now);
  void expire(base::LocalTime now);
  void drain();
  void begin_running(base::LocalTime now);
  void on_pause(base::LocalTime now);
  void fail(std::string reason, base::LocalTime now);
  void begin_stopping(int exit_code, std::string reason, base::LocalTime now);
  void continue_stopping(base::LocalTime now);
  void finish(int exit_code, std::string_view reason);
  base::VenueTime venue_now() const { return clock_.to_venue(now_); }
  Desk& desk(model::SymbolId symbol);
  const Desk& desk(model::SymbolId symbol) const;

  // connections.cpp: sessions and what arrives on them.
  void handle(const ConnectionOpened& in);
  void handle(const FrameReceived& in);
  void handle(const PongReceived& in);
  void handle(const ConnectionClosed& in);
  void handle(const FramesDropped& in);
  void make_sessions();
  void perform(ConnectionId id);
  void lost_stream(ConnectionId id, std::string_view why);
  void on_market_frame(const FrameReceived& in);
  void on_user_frame(const FrameReceived& in);
  void on_order_reply(std::string_view frame);
  void on_depth(const model::DepthDelta& delta, base::LocalTime received);
  void apply_sync(Desk& desk);
  feed::Session& session(ConnectionId id) { return *sessions_[static_cast<std::size_t>(id)]; }
  const feed::Session& session(ConnectionId id) const { return *sessions_[static_cast<std::size_t>(id)]; }

  // queries.cpp: REST questions and their answers.
  void handle(const RestAnswered& in);
  void handle(const RestLost& in);
  void ask(venue::binance::RequestKind kind, std::optional<model::SymbolId> symbol = {});
  void call(const venue::binance::RestRequest& request, model::RequestId id, Urgency urgency);
  void on_answer(const Query& query, std::string_view body);
  void on_refusal(const Query& query, int status, std::string_view body);
  void on_query_failed(const Query& query);
  void on_exchange_info(std::string_view body);
  void on_account_settings(std::string_view body);
  void on_open_orders(const Query& query, std::string_view body);
  void on_positions(const Query& query, std::string_view body);
  void on_user_trades(const Query& query, std::string_view body);
  void observe_usage(const RestAnswered& in, base::LocalTime sent_at);
  void check_started();
  void reconcile();

  // trading.cpp: from books and positions to order requests.
  void consider(Desk& desk);
  void consider_all();
  /// Empty when the symbol may be quoted; else why not.
  std::string_view hold_reason(const Desk& desk) const;
  std::optional<model::TopOfBook> top_of(const Desk& desk) const;
  int places_room() const;
  /// Which limit a 429 with this code is about.
  static venue::LimitKind limit_of(int code);
  void send_orders();
  void send_order(const order::OutRequest& request);
  void settle_events();

  void handle(const Tick&) {}
  void handle(const StopRequested&);

  template <class... Args>
  void note(Severity severity, fmt::format_string<Args...> format, Args&&... args) {
    note_text_.clear();
    fmt::format_to(std::back_inserter(note_text_), format, std::forward<Args>(args)...);
    out_->push(Note{severity, out_->keep({note_text_.data(), note_text_.size()})});
  }
  std::optional<base::LocalTime>& timer(Timer t) { return timers_[static_cast<std::size_t>(t)]; }

  Options options_;
  std::uint32_t run_epoch_;
  model::SymbolTable symbols_;
  Phase phase_ = Phase::starting;
  base::LocalTime now_{};
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

  std::array<std::unique_ptr<feed::Session>, connections_count> sessions_;
  std::array<ops::ConnectionStatus, connections_count> connection_status_{};
  feed::Session::Actions session_actions_;
  std::int64_t control_id_ = 1;
  std::string listen_key_;
  std::uint32_t user_stream_generation_ = 0;  ///< raised when user events may have been missed
  base::LocalTime started_at_{};
  bool logged_on_ = false;
  std::optional<model::RequestId> logon_request_;

  std::deque<Desk> desks_;  ///< by SymbolId; never moved
  std::vector<Query> queries_;
  std::vector<OrderInFlight> orders_in_flight_;
  std::uint64_t next_request_ = 1;
  std::array<std::optional<base::LocalTime>, timers_count> timers_{};
  bool rules_known_ = false, account_known_ = false, fatal_ = false;

  risk::Limits limits_;
  order::Orders orders_;
  order::Ledger ledger_;
  order::Requests requests_, sending_;
  order::OrderEvents events_;
  feed::SyncActions sync_actions_;
  model::Quotes quotes_;

  int stop_code_ = 0;
  std::string stop_reason_;
  base::LocalTime stop_deadline_{};
  std::uint64_t frames_ = 0, frames_bad_ = 0, events_unknown_ = 0, frames_ignored_ = 0, foreign_orders_ = 0,
                position_mismatches_ = 0;
  std::optional<base::LocalTime> last_user_event_;
  base::StaticVector<venue::RateLimit, 8> rate_limits_;
};

}  // namespace phoenix::engine
