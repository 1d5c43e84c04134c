#pragma once

#include "app/audit_log.hpp"
#include "app/dashboard_access.hpp"
#include "app/dashboard_feed.hpp"
#include "app/dashboard_history.hpp"
#include "app/exchange_control.hpp"
#include "io/clock.hpp"
#include "io/live_host.hpp"
#include "io/server.hpp"
#include "ops/health.hpp"
#include "ops/status.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace phoenix::app {

/// What a person may have done over the dashboard. Called on the host's thread; an empty one is not offered.
struct OpsActions {
  std::function<void(io::LiveHostOptions::Hold)> hold;
  /// Sets the kill latch; throws io::FileError.
  std::function<void(std::string_view reason)> kill;
};

struct OpsHostOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  ///< 0: any free one
  DashboardAccess access;
  std::filesystem::path data_dir;  ///< of the audit log
  DashboardFeed* feed = nullptr;   ///< outlives the host; none: no events and no ladders
  OpsActions actions{};
};

/// Serves the dashboard, its live data, metrics and health of a running engine on its own thread:
///
///     GET  /            the page, and /assets/... of it
///     GET  /live        WebSocket: status five times a second, events, ladder, history
///     GET  /status      the status as JSON
///     GET  /healthz     200 while the process does its work, else 503 and why
///     GET  /readyz      200 while every symbol may be quoted, else 503 and which not
///     GET  /metrics     for Prometheus
///     POST /actions     pause, resume, kill; see docs/dashboard.md
///     .... /demo/...    the local exchange's control endpoint, where `offer_faults` was called
class OpsHost final : public io::ServerHandler {
 public:
  using Source = std::function<ops::Status()>;  ///< called on this host's thread
  /// Carries a request to the local exchange; the answer may come on any thread, or never.
  using AskExchange = std::function<void(ControlRequest, std::function<void(io::HttpReply)>)>;

  /// Binds; throws std::runtime_error with one line when the port is in use.
  OpsHost(const io::RealClock& clock, OpsHostOptions options, Source source);
  ~OpsHost() override;
  /// Before `start`.
  void offer_faults(AskExchange ask) { ask_exchange_ = std::move(ask); }
  void start() { server_->start(); }
  std::uint16_t port() const { return server_->plain_port(); }

  std::optional<io::HttpReply> on_http(io::CallId id, const io::HttpCall& call, base::LocalTime now) override;
  io::UpgradeReply on_upgrade(io::PeerId id, const io::HttpCall& call, base::LocalTime now) override;
  void on_peer(io::PeerId id, base::LocalTime now) override;
  void on_text(io::PeerId id, std::string_view text, base::LocalTime now) override;
  void on_control(io::PeerId, io::ControlFrame, std::string_view, base::LocalTime) override {}
  void on_peer_closed(io::PeerId id, std::uint16_t code, base::LocalTime now) override;
  std::optional<base::LocalTime> next_deadline() override { return due_; }
  void on_timer(base::LocalTime now) override;

 private:
  /// A page that looks on.
  struct Viewer {
    bool is_let_in = false;  ///< has shown the token, or needs none
    std::string remote;
    base::LocalTime token_due;  ///< until it is let in
    std::string symbol;         ///< whose ladder and samples it shows
    std::uint64_t events_told = 0;
  };
  /// Replies of the exchange on their way to this host's thread.
  struct Answers {
    std::mutex mutex;
    std::vector<std::pair<io::CallId, io::HttpReply>> waiting;
    io::Server* server = nullptr;  ///< null once the host is gone
  };

  std::optional<io::HttpReply> get(std::string_view path, const io::HttpCall& call, base::LocalTime now);
  std::optional<io::HttpReply> demo(io::CallId id, std::string_view path, const io::HttpCall& call);
  io::HttpReply act(const io::HttpCall& call, base::LocalTime now);
  std::string carry_out(std::string_view action, const std::string& symbol);
  void look(base::LocalTime now);
  void welcome(io::PeerId id, Viewer& viewer);
  void tell_samples(io::PeerId id, const Viewer& viewer);
  void tell_events(io::PeerId id, Viewer& viewer);
  void watch_ladders();

  Source source_;
  OpsHostOptions options_;
  std::optional<AuditLog> audit_;  ///< empty where nothing can be done
  AskExchange ask_exchange_;
  ops::HealthJudge judge_;
  ops::Status status_;  ///< the newest that was looked at
  ops::Health health_;
  DashboardHistory history_;
  std::map<io::PeerId, Viewer> viewers_;
  base::LocalTime due_{}, coverage_due_{};
  std::shared_ptr<Answers> answers_;
  std::unique_ptr<io::Server> server_;
};

}  // namespace phoenix::app
