#include "app/alert_host.hpp"

#include "io/files.hpp"

#include <chrono>
#include <utility>

#include <fmt/format.h>

namespace phoenix::app {
namespace {

constexpr base::Duration look_interval = base::milliseconds{500};

io::NotifierOptions notifier_options(const AlertConfig& config) {
  io::NotifierOptions options;
  options.channels = ready_channels(config, load_alert_secrets(config));
  options.copies = config.channels_at_once;
  options.timeout = config.timeout;
  return options;
}

template <std::size_t N>
base::ShortText<N> cut(std::string_view text) {
  return base::ShortText<N>{ops::shortened(text, N)};
}

}  // namespace

AlertHost::AlertHost(const io::RealClock& clock, const AlertConfig& config, Source source,
                     AlertActions actions, io::LiveHost::Logger log)
    : clock_{clock},
      instance_{alert_options(config).instance},
      source_{std::move(source)},
      actions_{std::move(actions)},
      log_{std::move(log)},
      channels_count_{config.channels.size()},
      alerts_{alert_options(config)} {
  if (channels_count_ == 0) return;
  notifier_ = std::make_unique<io::Notifier>(
      clock, notifier_options(config), [this](ops::DeliveryNote::Tone tone, std::string_view text) {
        log_(tone == ops::DeliveryNote::Tone::good ? engine::Severity::info : engine::Severity::error, text);
      });
}

AlertHost::~AlertHost() {
  {
    const std::scoped_lock lock{mutex_};
    leaving_ = true;
  }
  wake_.notify_all();
  if (!thread_.joinable()) return;
  thread_.join();
  if (!notifier_) return;
  std::uint32_t orders = 0;
  const auto status = source_();
  for (const auto& s : status.symbols) orders += s.orders_live + s.orders_unknown;
  auto m = message(ops::AlertKind::stopped, fmt::format("{} orders are known to rest", orders));
  if (orders > 0) m.level = ops::AlertLevel::critical;
  notifier_->post(std::move(m));
}

ops::AlertMessage AlertHost::message(ops::AlertKind kind, std::string what) const {
  ops::AlertMessage m;
  m.kind = kind;
  m.at = clock_.now();
  m.instance = instance_;
  m.what = std::move(what);
  return m;
}

void AlertHost::start() {
  if (!source_) return;
  if (notifier_)
    notifier_->post(message(ops::AlertKind::started, fmt::format("{} channels", channels_count_)));
  thread_ = std::thread{[this] { work(); }};
}

void AlertHost::work() {
  std::unique_lock lock{mutex_};
  while (!leaving_) {
    lock.unlock();
    look();
    lock.lock();
    wake_.wait_for(lock, look_interval, [this] { return leaving_; });
  }
}

void AlertHost::look() {
  const auto status = source_();
  std::vector<ops::AlertAct> acts;
  {
    const std::scoped_lock lock{mutex_};
    alerts_.step(status, clock_.now(), acts);
  }
  perform(acts);
}

void AlertHost::tell(ops::AlertLevel level, std::string what, std::string help) {
  auto m = message(ops::AlertKind::event, std::move(what));
  m.level = level;
  m.help = std::move(help);
  std::vector<ops::AlertAct> acts;
  {
    const std::scoped_lock lock{mutex_};
    alerts_.tell(std::move(m), clock_.now(), acts);
  }
  perform(acts);
}

void AlertHost::perform(const std::vector<ops::AlertAct>& acts) {
  for (const auto& act : acts) std::visit([this](const auto& a) { perform(a); }, act);
}

void AlertHost::perform(const ops::AlertMessage& m) {
  if (!m.rule.empty()) {
    std::string subjects;
    for (const auto& s : m.subjects)
      subjects +=
          fmt::format("{}{}={}", subjects.empty() ? "" : ",", s.name.empty() ? "all" : s.name, s.value);
    log_(m.kind == ops::AlertKind::resolved ? engine::Severity::info : engine::Severity::warning,
         fmt::format("alert {} level={} rule={} subject={} what=\"{}\"", name(m.kind),
                     static_cast<int>(m.level), m.rule, subjects, m.what));
  }
  if (notifier_) notifier_->post(m);
}

void AlertHost::perform(const ops::AlertRestraint& r) {
  if (!actions_.hold) return;
  const auto wish = r.wish == ops::AlertAction::hold          ? engine::HoldWish::hold
                    : r.wish == ops::AlertAction::reduce_only ? engine::HoldWish::reduce_only
                                                              : engine::HoldWish::none;
  log_(engine::Severity::warning, fmt::format("asked for symbol={} wish={} by=\"{}\"",
                                              r.symbol.empty() ? "all" : r.symbol, name(r.wish), r.reason));
  actions_.hold({engine::HoldBy::alert, wish, r.symbol});
}

void AlertHost::perform(const ops::AlertKill& kill) {
  if (!actions_.kill) return;
  try {
    actions_.kill(kill.reason);
  } catch (const io::FileError& fault) {
    log_(engine::Severity::error, fmt::format("kill latch not kept: {}", fault.what()));
  }
}

void AlertHost::fill(ops::Status& status) const {
  const std::scoped_lock lock{mutex_};
  status.alerts.clear();
  for (const auto& alert : alerts_.active()) {
    if (status.alerts.full()) break;
    auto& to = status.alerts.push_back({});
    to.name = cut<48>(alert.rule);
    to.symbol = cut<32>(alert.subject);
    to.level = static_cast<int>(alert.level);
    to.since = alert.since;
    to.text = cut<160>(fmt::format("{} ({})", alert.what, alert.value));
  }
}

}  // namespace phoenix::app
