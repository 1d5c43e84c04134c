#include "app/audit_log.hpp"
#include "app/dashboard_access.hpp"
#include "app/dashboard_feed.hpp"
#include "app/dashboard_history.hpp"
#include "app/dashboard_json.hpp"
#include "app/web_assets.hpp"
#include "io/files.hpp"
#include "io/temporary_directory.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

namespace phoenix::app {
namespace {

using Answer = DashboardAccess::Answer;
constexpr std::string_view token = "0123456789abcdef";

base::LocalTime at_s(std::int64_t s) { return base::LocalTime{base::seconds{1'700'000'000 + s}}; }

class DashboardAccessTest : public testing::Test {
 protected:
  io::HttpCall call(const std::string& host, const std::string& origin = {}, const std::string& bearer = {}) {
    headers_ = {{"host", host}};
    if (!origin.empty()) headers_.emplace_back("origin", origin);
    if (!bearer.empty()) headers_.emplace_back("authorization", "Bearer " + bearer);
    return {
        .method = "POST", .target = "/actions", .body = {}, .remote = "127.0.0.1:1", .headers = &headers_};
  }
  DashboardAccess loopback_{true, BeyondLoopback::with_token, std::string{token}};

 private:
  io::Headers headers_;
};

TEST_F(DashboardAccessTest, a_name_that_points_at_the_loopback_is_no_way_in) {
  EXPECT_EQ(loopback_.may_read(call("127.0.0.1:9090"), at_s(0)), Answer::granted);
  EXPECT_EQ(loopback_.may_read(call("localhost:1"), at_s(0)), Answer::granted);
  EXPECT_EQ(loopback_.may_read(call("[::1]:9090"), at_s(0)), Answer::granted);
  EXPECT_EQ(loopback_.may_read(call("rebound.example:9090"), at_s(0)), Answer::foreign);
  EXPECT_EQ(loopback_.may_read(call("127.0.0.1.example"), at_s(0)), Answer::foreign);
  EXPECT_EQ(loopback_.may_read(call(""), at_s(0)), Answer::foreign);
}

TEST_F(DashboardAccessTest, a_page_of_another_site_is_refused) {
  EXPECT_EQ(loopback_.same_origin(call("127.0.0.1:9090", "http://127.0.0.1:9090")), Answer::granted);
  EXPECT_EQ(loopback_.same_origin(call("127.0.0.1:9090", "http://127.0.0.1:8080")), Answer::foreign);
  EXPECT_EQ(loopback_.same_origin(call("127.0.0.1:9090", "http://bad.example")), Answer::foreign);
  EXPECT_EQ(loopback_.same_origin(call("127.0.0.1:9090", "null")), Answer::foreign);
}

TEST_F(DashboardAccessTest, an_action_needs_the_token_even_on_this_machine) {
  EXPECT_EQ(loopback_.may_act(call("127.0.0.1:9090", "http://127.0.0.1:9090"), at_s(0)), Answer::wrong_token);
  EXPECT_EQ(loopback_.may_act(call("127.0.0.1:9090", "http://127.0.0.1:9090", "0123456789abcdeF"), at_s(0)),
            Answer::wrong_token);
  EXPECT_EQ(loopback_.may_act(call("127.0.0.1:9090", "http://127.0.0.1:9090", std::string{token}), at_s(0)),
            Answer::granted);
  EXPECT_EQ(loopback_.may_act(call("127.0.0.1:9090", "http://bad.example", std::string{token}), at_s(0)),
            Answer::foreign);
}

TEST_F(DashboardAccessTest, without_a_token_nothing_can_be_done) {
  DashboardAccess access{true, BeyondLoopback::with_token, {}};
  EXPECT_EQ(access.may_act(call("localhost", "http://localhost", "anything"), at_s(0)), Answer::locked);
  EXPECT_EQ(access.may_read(call("localhost"), at_s(0)), Answer::granted);
}

TEST_F(DashboardAccessTest, guessing_is_slow_from_whatever_port) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(loopback_.check_token("wrong", fmt::format("10.0.0.1:{}", i), at_s(i)), Answer::wrong_token);
  }
  EXPECT_EQ(loopback_.check_token(token, "10.0.0.1:99", at_s(10)), Answer::too_many_tries);
  EXPECT_EQ(loopback_.check_token(token, "10.0.0.1:99", at_s(61)), Answer::granted);
}

TEST_F(DashboardAccessTest, who_guesses_locks_nobody_else_out) {
  for (int i = 0; i < 20; ++i) static_cast<void>(loopback_.check_token("wrong", "10.0.0.1:1", at_s(0)));
  EXPECT_EQ(loopback_.check_token(token, "10.0.0.1:2", at_s(1)), Answer::too_many_tries);
  EXPECT_EQ(loopback_.check_token(token, "10.0.0.2:1", at_s(1)), Answer::granted);
}

TEST_F(DashboardAccessTest, all_together_guess_a_thousand_times_a_minute) {
  for (int i = 0; i < 1000; ++i)
    EXPECT_EQ(loopback_.check_token("wrong", fmt::format("10.0.{}.{}:1", i / 250, i % 250), at_s(0)),
              Answer::wrong_token);
  EXPECT_EQ(loopback_.check_token(token, "192.168.0.1:1", at_s(1)), Answer::too_many_tries);
  EXPECT_EQ(loopback_.check_token(token, "192.168.0.1:1", at_s(60)), Answer::granted);
}

TEST_F(DashboardAccessTest, an_address_beyond_this_machine_is_read_with_the_token_only) {
  DashboardAccess access{false, BeyondLoopback::with_token, std::string{token}};
  EXPECT_EQ(access.may_read(call("10.0.0.7:9090"), at_s(0)), Answer::wrong_token);
  EXPECT_EQ(access.may_read(call("10.0.0.7:9090", {}, std::string{token}), at_s(0)), Answer::granted);
  DashboardAccess open{false, BeyondLoopback::anybody, {}};
  EXPECT_EQ(open.may_read(call("10.0.0.7:9090"), at_s(0)), Answer::granted);
  EXPECT_EQ(open.may_act(call("10.0.0.7:9090", "http://10.0.0.7:9090"), at_s(0)), Answer::locked);
}

class DashboardFiles : public testing::Test {
 protected:
  DashboardFiles() { ::unsetenv("PHOENIX_METRICS_TOKEN"); }
  const io::TemporaryDirectory place_;
  const std::filesystem::path directory_ = place_.path();
};

TEST_F(DashboardFiles, a_token_that_others_can_read_is_refused) {
  const auto path = directory_ / "token";
  std::ofstream{path} << token << "\n";
  Config config;
  config.metrics_token_file = path.string();
  ::chmod(path.c_str(), 0644);
  EXPECT_THROW(static_cast<void>(load_dashboard_access(config)), StartError);
  ::chmod(path.c_str(), 0600);
  EXPECT_TRUE(load_dashboard_access(config).has_token());
  EXPECT_EQ(metrics_token(config), token);
  std::ofstream{path} << "short";
  EXPECT_THROW(static_cast<void>(load_dashboard_access(config)), StartError);
  EXPECT_THROW(static_cast<void>(metrics_token(config)), StartError);
}

TEST_F(DashboardFiles, the_audit_log_keeps_who_asked_for_what_and_is_for_us_alone) {
  {
    AuditLog log{directory_};
    EXPECT_TRUE(log.append(
        {.at = at_s(1), .action = "kill", .symbol = {}, .remote = "127.0.0.1:5", .outcome = "done"}));
  }
  AuditLog again{directory_};
  EXPECT_TRUE(again.append({.at = at_s(2),
                            .action = "pause\n\"x",
                            .symbol = "ETHUSDC",
                            .remote = "127.0.0.1:5",
                            .outcome = "refused"}));
  const auto path = directory_ / AuditLog::file_name;
  EXPECT_EQ(std::filesystem::status(path).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  io::LineReader lines{path};
  const auto first = nlohmann::json::parse(*lines.next());
  EXPECT_EQ(first.at("action"), "kill");
  EXPECT_EQ(first.at("outcome"), "done");
  EXPECT_EQ(nlohmann::json::parse(*lines.next()).at("action"), "pause\n\"x");
  EXPECT_FALSE(lines.next().has_value());
}

ops::Status status_at(std::int64_t s, std::string_view verdict, std::uint64_t rows) {
  ops::Status status;
  status.now = at_s(s);
  auto& symbol = status.symbols.push_back({});
  symbol.name = model::SymbolTable::Name{"ETHUSDC"};
  symbol.verdict = base::ShortText<16>{verdict};
  symbol.recorded = true;
  symbol.rows[0] = rows;
  symbol.mid = model::Price::of("3000.5");
  auto& stream = status.streams.emplace_back();
  stream.symbol = symbol.name;
  stream.role = "depth";
  stream.connection = "public_a";
  stream.state = verdict == "live" ? "live" : "stalled";
  stream.witness = "none";
  return status;
}

TEST(DashboardHistory, a_stream_leaves_one_stretch_for_each_state) {
  DashboardHistory history;
  for (int s = 0; s < 10; ++s) history.see(status_at(s, s < 4 || s > 6 ? "live" : "stalled", 0));
  ASSERT_EQ(history.timelines().size(), 2U);
  EXPECT_EQ(history.timelines()[0].role, "price");
  const auto& changes = history.timelines()[1].changes;
  ASSERT_EQ(changes.size(), 3U);
  EXPECT_EQ(changes[1].state, "stalled");
  EXPECT_EQ(changes[1].at, at_s(4));
  EXPECT_EQ(changes[2].at, at_s(7));
}

TEST(DashboardHistory, what_changed_is_told_once) {
  DashboardHistory history;
  history.see(status_at(0, "live", 0));
  EXPECT_EQ(history.take_changed().size(), 2U);
  history.see(status_at(1, "live", 0));
  EXPECT_TRUE(history.take_changed().empty());
}

TEST(DashboardHistory, a_stream_nobody_asks_for_any_more_is_closed) {
  DashboardHistory history;
  history.see(status_at(0, "live", 0));
  auto later = status_at(1, "live", 0);
  later.streams.clear();
  history.see(later);
  EXPECT_EQ(history.timelines()[1].changes.back().state, "closed");
}

TEST(DashboardHistory, coverage_counts_the_seconds_of_a_minute_with_proved_data) {
  DashboardHistory history;
  for (int s = 0; s < 120; ++s)
    history.see(status_at(s + 40, s < 10 ? "stalled" : "live", static_cast<std::uint64_t>(s) * 3));
  const auto& minutes = history.coverage().at(0).minutes;
  int seen = 0, good = 0;
  std::uint64_t rows = 0;
  for (const auto& m : minutes) {
    seen += m.seconds_seen;
    good += m.seconds_good;
    rows += m.rows;
    EXPECT_LE(m.seconds_seen, 60);
  }
  EXPECT_EQ(seen, 120);
  EXPECT_EQ(good, 110);
  EXPECT_EQ(rows, 119U * 3);
  EXPECT_EQ(minutes.front().seconds_good, minutes.front().seconds_seen - 10);
}

TEST(DashboardHistory, keeps_a_bounded_past) {
  DashboardHistory history;
  for (int s = 0; s < 1200; ++s) history.see(status_at(s, s % 2 == 0 ? "live" : "stalled", 0));
  EXPECT_EQ(history.samples("ETHUSDC")->size(), DashboardHistory::samples_max);
  EXPECT_EQ(history.timelines()[1].changes.size(), DashboardHistory::changes_max);
  EXPECT_EQ(history.samples("NONE"), nullptr);
}

order::OrderView own(model::Side side, const char* price, const char* qty, order::OrderState state) {
  order::OrderView order;
  order.side = side;
  order.price = model::Price::of(price);
  order.qty = model::Qty::of(qty);
  order.state = state;
  return order;
}

TEST(DashboardLadder, own_orders_stand_at_their_price_among_the_markets) {
  book::Book book;
  for (const char* price : {"99", "98", "97"})
    book.set(model::Side::bid, {model::Price::of(price), model::Qty::of("5")});
  for (const char* price : {"101", "102", "103"})
    book.set(model::Side::ask, {model::Price::of(price), model::Qty::of("7")});
  book.settle();
  using order::OrderState;
  const auto rows = ladder_rows(book,
                                {own(model::Side::bid, "98", "2", OrderState::live),
                                 own(model::Side::ask, "103", "1", OrderState::pending_new),
                                 own(model::Side::ask, "105", "3", OrderState::live)},
                                2);
  ASSERT_EQ(rows.size(), 6U);
  EXPECT_EQ(rows[0].price, model::Price::of("105"));
  EXPECT_EQ(rows[0].own, model::Qty::of("3"));
  EXPECT_EQ(rows[0].market, model::Qty{});
  EXPECT_EQ(rows[1].price, model::Price::of("103")) << "beyond the levels shown, and still there";
  EXPECT_EQ(rows[1].market, model::Qty::of("7"));
  EXPECT_EQ(rows[1].own, model::Qty{}) << "not before the venue confirmed it";
  EXPECT_EQ(rows[1].moving, model::Qty::of("1"));
  EXPECT_EQ(rows[5].price, model::Price::of("98"));
  EXPECT_EQ(rows[5].market, model::Qty::of("5"));
  EXPECT_EQ(rows[5].own, model::Qty::of("2"));
}

TEST(DashboardFeed, tells_each_event_once_and_forgets_the_oldest) {
  DashboardFeed feed;
  ops::Incident incident;
  incident.kind = ops::IncidentKind::withdrawn;
  incident.subject = base::ShortText<32>{"ETHUSDC"};
  for (std::size_t i = 0; i < DashboardFeed::events_max + 10; ++i) feed.on_incident(incident);
  const auto all = feed.events_after(0);
  ASSERT_EQ(all.size(), DashboardFeed::events_max);
  EXPECT_EQ(all.front().number, 11U);
  EXPECT_TRUE(feed.events_after(all.back().number).empty());
  feed.on_incident(incident);
  EXPECT_EQ(feed.events_after(all.back().number).size(), 1U);
}

TEST(DashboardJson, bytes_that_are_no_text_do_not_stop_the_page) {
  const DashboardEvent event{
      .number = 1, .at = at_s(0), .kind = "latched", .what = "\xff\"", .evidence = "\n"};
  const auto json = nlohmann::json::parse(events_message({&event, 1}));
  EXPECT_EQ(json.at("events").at(0).at("kind"), "latched");
}

TEST(WebAssets, the_page_is_small_and_whole) {
  std::size_t bytes = 0;
  bool has_page = false;
  for (const auto& asset : web_assets()) {
    bytes += asset.gzip.size();
    has_page = has_page || asset.path == "/";
    EXPECT_EQ(asset.gzip.substr(0, 2), "\x1f\x8b") << asset.path;
  }
  EXPECT_TRUE(has_page);
  EXPECT_LT(bytes, 200'000U);
}

}  // namespace
}  // namespace phoenix::app
