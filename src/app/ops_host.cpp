#include "app/ops_host.hpp"

#include "app/dashboard_json.hpp"
#include "app/version.hpp"
#include "app/web_assets.hpp"
#include "ops/metrics_text.hpp"
#include "ops/status_json.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace phoenix::app {
namespace {

constexpr base::Duration live_interval = base::milliseconds{200};
constexpr base::Duration idle_interval = base::seconds{1};  ///< while nobody looks: the history goes on
constexpr base::Duration coverage_interval = base::seconds{5};
constexpr std::size_t viewers_max = 16;
/// From the opening to the token, where one is needed: places are few.
constexpr base::Duration token_wait = base::seconds{10};
constexpr std::size_t message_bytes_max = 4096;
/// A page that leaves so much lying is cut off, and begins anew.
constexpr std::size_t output_bytes_max = 4U << 20;

using Answer = DashboardAccess::Answer;

io::HttpReply text_reply(std::uint16_t status, std::string body) {
  io::HttpReply reply;
  reply.status = status;
  reply.content_type = "text/plain; charset=utf-8";
  reply.headers = {{"X-Content-Type-Options", "nosniff"},
                   {"Cross-Origin-Resource-Policy", "same-origin"},
                   {"Cache-Control", "no-store"}};
  reply.body = std::move(body);
  return reply;
}

io::HttpReply json_reply(std::uint16_t status, std::string body) {
  auto reply = text_reply(status, std::move(body));
  reply.content_type = "application/json";
  return reply;
}

io::HttpReply refusal(Answer answer) {
  const std::uint16_t status = answer == Answer::wrong_token      ? 401
                               : answer == Answer::too_many_tries ? 429
                                                                  : 403;
  auto reply = text_reply(status, std::string{describe(answer)} + "\n");
  if (status == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  return reply;
}

const WebAsset* asset_at(std::string_view path) {
  for (const auto& asset : web_assets()) {
    if (asset.path == path) return &asset;
  }
  return nullptr;
}

io::HttpReply asset_reply(const WebAsset& asset, const io::HttpCall& call) {
  if (call.header("if-none-match") == asset.etag) {
    io::HttpReply unchanged;
    unchanged.status = 304;
    unchanged.headers = {{"ETag", std::string{asset.etag}}};
    return unchanged;
  }
  if (call.header("accept-encoding").find("gzip") == std::string_view::npos)
    return text_reply(406, "the page is there with Accept-Encoding: gzip only\n");
  auto reply = text_reply(200, std::string{asset.gzip});
  reply.content_type = asset.content_type;
  reply.headers = {
      {"Content-Encoding", "gzip"},
      {"ETag", std::string{asset.etag}},
      {"Cache-Control", "no-cache"},
      {"Vary", "Accept-Encoding"},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Permissions-Policy", "camera=(), microphone=(), geolocation=()"},
      {"Content-Security-Policy",
       "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
       "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"}};
  return reply;
}

bool is_known(const ops::Status& status, std::string_view symbol) {
  return std::any_of(status.symbols.begin(), status.symbols.end(),
                     [&](const auto& s) { return s.name.view() == symbol; });
}

}  // namespace

OpsHost::OpsHost(const io::RealClock& clock, OpsHostOptions options, Source source)
    : source_(std::move(source)), options_(std::move(options)), answers_(std::make_shared<Answers>()) {
  if (options_.actions.hold || options_.actions.kill) audit_.emplace(options_.data_dir);
  io::ServerOptions server;
  server.address = options_.address;
  server.plain_port = options_.port;
  server.body_bytes_max = message_bytes_max;
  server.message_bytes_max = message_bytes_max;
  server.output_bytes_max = output_bytes_max;
  server_ = std::make_unique<io::Server>(clock, *this, server);
  answers_->server = server_.get();
}

OpsHost::~OpsHost() {
  {
    const std::lock_guard lock{answers_->mutex};
    answers_->server = nullptr;
  }
  server_->stop();
}

// Requests.

std::optional<io::HttpReply> OpsHost::on_http(io::CallId id, const io::HttpCall& call, base::LocalTime now) {
  const auto path = call.target.substr(0, call.target.find('?'));
  if (ask_exchange_ && path.starts_with("/demo/")) return demo(id, path.substr(5), call);
  if (path == "/actions")
    return call.method == "POST" ? act(call, now) : text_reply(405, "/actions takes POST\n");
  if (call.method != "GET" && call.method != "HEAD") return text_reply(405, "only GET is served here\n");
  return get(path, call, now);
}

std::optional<io::HttpReply> OpsHost::get(std::string_view path, const io::HttpCall& call,
                                          base::LocalTime now) {
  // The page itself holds no data, and whether the process is alive is no secret to whoever watches it.
  const auto* asset = asset_at(path);
  const bool is_open = asset != nullptr || path == "/healthz";
  const auto answer = is_open ? options_.access.same_origin(call) : options_.access.may_read(call, now);
  if (answer != Answer::granted) return refusal(answer);
  if (asset != nullptr) return asset_reply(*asset, call);
  const bool is_known_path =
      path == "/metrics" || path == "/status" || path == "/healthz" || path == "/readyz";
  if (!is_known_path)
    return text_reply(404, "served here: /, /live, /status, /healthz, /readyz and /metrics\n");
  const auto status = source_();
  const auto health = judge_.judge(status, now);
  if (path == "/healthz") {
    return health.process_problem.empty() ? text_reply(200, "ok\n")
                                          : text_reply(503, health.process_problem + "\n");
  }
  if (path == "/status") return json_reply(200, ops::status_json(status, health, now, version) + "\n");
  if (path == "/readyz") {
    if (health.ready) return text_reply(200, "ready\n");
    std::string why;
    for (const auto& s : health.symbols) {
      if (!s.ready) why += fmt::format("{} {}\n", s.symbol.view(), s.why);
    }
    return text_reply(503, why.empty() ? "not ready\n" : why);
  }
  auto reply = text_reply(200, ops::metrics_text(status, health, now, version));
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  return reply;
}

std::optional<io::HttpReply> OpsHost::demo(io::CallId id, std::string_view path, const io::HttpCall& call) {
  if (const auto answer = options_.access.same_origin(call); answer != Answer::granted)
    return refusal(answer);
  if (call.method != "GET" && call.header("origin").empty())
    return text_reply(403, "refused: a request that changes something needs an Origin header\n");
  ask_exchange_({.call = id,
                 .method = std::string{call.method},
                 .path = std::string{path},
                 .body = std::string{call.body}},
                [answers = answers_, id](io::HttpReply reply) {
                  const std::lock_guard lock{answers->mutex};
                  if (answers->server == nullptr) return;
                  answers->waiting.emplace_back(id, std::move(reply));
                  answers->server->wake();
                });
  return std::nullopt;
}

// Actions.

io::HttpReply OpsHost::act(const io::HttpCall& call, base::LocalTime now) {
  if (!audit_) return text_reply(404, "nothing can be done here\n");
  if (call.header("origin").empty())
    return text_reply(403, "refused: an action needs an Origin header that names this host\n");
  const auto answer = options_.access.may_act(call, now);
  if (answer == Answer::foreign || answer == Answer::locked || answer == Answer::too_many_tries)
    return refusal(answer);
  const auto body = nlohmann::json::parse(call.body, nullptr, /*allow_exceptions=*/false);
  const auto text = [&](const char* key) {
    const auto it = body.is_object() ? body.find(key) : body.end();
    return it == body.end() || !it->is_string() ? std::string{} : it->get<std::string>();
  };
  const auto action = text("action"), symbol = text("symbol");
  const AuditLog::Entry asked{
      .at = now, .action = action, .symbol = symbol, .remote = call.remote, .outcome = {}};
  const auto written = [&](std::string_view outcome) {
    auto entry = asked;
    entry.outcome = outcome;
    return audit_->append(entry);
  };
  if (answer != Answer::granted) {
    // What shows no token was no try: anybody may send any number of those.
    if (!bearer_of(call).empty()) written(describe(answer));
    return refusal(answer);
  }
  const auto confirmation = symbol.empty() ? action : fmt::format("{} {}", action, symbol);
  if (action.empty() || text("confirm") != confirmation)
    return text_reply(400, "refused: 'confirm' must repeat action and symbol\n");
  if (!symbol.empty() && !is_known(source_(), symbol)) return text_reply(400, "refused: no such symbol\n");
  // What makes things safer is done even where it cannot be written down.
  if (action == "resume" && !written("asked for"))
    return text_reply(503, "refused: the audit log cannot be written\n");
  const auto trouble = carry_out(action, symbol);
  const bool is_written = written(trouble.empty() ? "done" : trouble);
  if (!trouble.empty()) return text_reply(400, trouble + "\n");
  return text_reply(200, is_written ? "done\n" : "done, but the audit log cannot be written\n");
}

std::string OpsHost::carry_out(std::string_view action, const std::string& symbol) {
  if ((action == "pause" || action == "resume") && options_.actions.hold) {
    options_.actions.hold({.by = engine::HoldBy::person,
                           .wish = action == "pause" ? engine::HoldWish::hold : engine::HoldWish::none,
                           .symbol = symbol});
    return {};
  }
  if (action == "kill" && symbol.empty() && options_.actions.kill) {
    try {
      options_.actions.kill("set by a person over the dashboard");
    } catch (const io::FileError& fault) {
      return fault.what();
    }
    return {};
  }
  return "refused: no such action here";
}

// Live data.

io::UpgradeReply OpsHost::on_upgrade(io::PeerId id, const io::HttpCall& call, base::LocalTime now) {
  const auto path = call.target.substr(0, call.target.find('?'));
  if (path != "/live") return {text_reply(404, "the WebSocket is at /live\n")};
  if (const auto answer = options_.access.same_origin(call); answer != Answer::granted)
    return {refusal(answer)};
  if (viewers_.size() >= viewers_max)
    return {text_reply(503, fmt::format("at most {} pages at a time\n", viewers_max))};
  auto& viewer = viewers_[id];
  viewer.remote = call.remote;
  viewer.token_due = now + token_wait;
  return {};
}

void OpsHost::on_peer(io::PeerId id, base::LocalTime now) {
  auto& viewer = viewers_[id];
  if (options_.access.reading_needs_token()) {
    server_->send(id, locked_message());
    return;
  }
  look(now);
  welcome(id, viewer);
  due_ = now;
}

void OpsHost::welcome(io::PeerId id, Viewer& viewer) {
  viewer.is_let_in = true;
  HelloMessage hello;
  hello.version = version;
  hello.run = base::ns_of(status_.started_time);
  const auto offered = [](bool is) { return is ? Offered::yes : Offered::no; };
  hello.actions = offered(options_.access.has_token() && options_.actions.kill != nullptr);
  hello.pausing = offered(options_.access.has_token() && options_.actions.hold != nullptr);
  hello.faults = offered(ask_exchange_ != nullptr);
  for (const auto& s : status_.symbols) hello.symbols.push_back(s.name.str());
  server_->send(id, hello_message(hello));
  std::vector<std::size_t> all(history_.timelines().size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  server_->send(id, timelines_message(history_, all));
  server_->send(id, coverage_message(history_, DashboardHistory::minutes_max));
  tell_events(id, viewer);
}

void OpsHost::tell_events(io::PeerId id, Viewer& viewer) {
  if (options_.feed == nullptr) return;
  const auto events = options_.feed->events_after(viewer.events_told);
  if (events.empty()) return;
  viewer.events_told = events.back().number;
  server_->send(id, events_message(events));
}

void OpsHost::tell_samples(io::PeerId id, const Viewer& viewer) {
  if (const auto* samples = history_.samples(viewer.symbol))
    server_->send(id, samples_message(viewer.symbol, *samples));
}

void OpsHost::on_text(io::PeerId id, std::string_view text, base::LocalTime now) {
  const auto it = viewers_.find(id);
  if (it == viewers_.end()) return;
  auto& viewer = it->second;
  const auto message = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto value = [&](const char* key) {
    const auto found = message.is_object() ? message.find(key) : message.end();
    return found == message.end() || !found->is_string() ? std::string{} : found->get<std::string>();
  };
  if (!viewer.is_let_in) {
    if (options_.access.check_token(value("token"), viewer.remote, now) != Answer::granted)
      return server_->close(id, 4001, "wrong token");
    look(now);
    welcome(id, viewer);
    due_ = now;
    return;
  }
  if (const auto symbol = value("symbol"); is_known(status_, symbol)) {
    viewer.symbol = symbol;
    watch_ladders();
    tell_samples(id, viewer);
  }
}

void OpsHost::on_peer_closed(io::PeerId id, std::uint16_t, base::LocalTime) {
  viewers_.erase(id);
  watch_ladders();
}

void OpsHost::watch_ladders() {
  if (options_.feed == nullptr) return;
  std::vector<std::string> symbols;
  for (const auto& [id, viewer] : viewers_) {
    if (!viewer.symbol.empty() && std::find(symbols.begin(), symbols.end(), viewer.symbol) == symbols.end())
      symbols.push_back(viewer.symbol);
  }
  options_.feed->watch(std::move(symbols));
}

void OpsHost::look(base::LocalTime now) {
  status_ = source_();
  health_ = judge_.judge(status_, now);
  history_.see(status_);
}

void OpsHost::on_timer(base::LocalTime now) {
  std::vector<std::pair<io::CallId, io::HttpReply>> answers;
  {
    const std::lock_guard lock{answers_->mutex};
    answers = std::exchange(answers_->waiting, {});
  }
  for (const auto& [call, reply] : answers) server_->reply(call, reply);
  if (now < due_) return;
  due_ = now + (viewers_.empty() ? idle_interval : live_interval);
  look(now);
  if (viewers_.empty()) return;

  const auto status =
      fmt::format(R"({{"type":"status","status":{}}})", ops::status_json(status_, health_, now, version));
  const auto changed = history_.take_changed();
  const auto timelines = changed.empty() ? std::string{} : timelines_message(history_, changed);
  std::string coverage;
  if (now >= coverage_due_) {
    coverage_due_ = now + coverage_interval;
    coverage = coverage_message(history_, 2);
  }
  const auto ladders = options_.feed == nullptr ? std::vector<LadderView>{} : options_.feed->ladders();
  for (auto& [id, viewer] : viewers_) {
    if (!viewer.is_let_in) {
      if (now >= viewer.token_due) server_->close(id, 4001, "no token");
      continue;
    }
    server_->send(id, status);
    if (!timelines.empty()) server_->send(id, timelines);
    if (!coverage.empty()) server_->send(id, coverage);
    tell_events(id, viewer);
    for (const auto& ladder : ladders) {
      if (ladder.symbol == viewer.symbol) server_->send(id, ladder_message(ladder));
    }
  }
}

}  // namespace phoenix::app
