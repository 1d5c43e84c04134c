#include "exchange/faults.hpp"

#include "exchange/protocol_test_kit.hpp"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace phoenix::exchange {
namespace {

using base::Duration;
using base::LocalTime;
using nlohmann::json;
using protocol_test::desk_options;
using protocol_test::key;
using protocol_test::quiet_options;
using protocol_test::secret;
using protocol_test::start_ms;
using testing::HasSubstr;

constexpr PeerId a = 1, b = 2, user = 3, orders = 4;

std::string public_target(std::string_view stream = "btcusdt@depth@100ms") {
  return fmt::format("/public/stream?streams={}", stream);
}

/// An exchange behind the gate, clients in front of it, and time that jumps to what is due.
class World {
 public:
  explicit World(std::string_view plan = "", std::uint64_t seed = 1,
                 ExchangeOptions options = quiet_options())
      : exchange{std::move(options)},
        now{base::local_time_ns(start_ms * 1'000'000)},
        faults{read(plan), seed, now} {}

  static FaultPlan read(std::string_view text) {
    const auto plan = parse_plan(text);
    EXPECT_TRUE(plan.has_value()) << (plan ? "" : plan.error().front().message);
    return plan.value_or(FaultPlan{});
  }

  VenueTime venue() const { return base::venue_time_ns(base::ns_of(now)); }

  /// True when the client is in.
  bool open(PeerId peer, const std::string& target) {
    verdict = faults.upgrade(target, now);
    if (verdict.what != UpgradeVerdict::What::pass) return false;
    if (!exchange.open(peer, target, "10.0.0.1", venue()).accepted) return false;
    FaultActions actions;
    faults.peer_opened(peer, target, now, actions);
    carry_out(actions);
    return true;
  }
  void say(PeerId peer, std::string_view text) {
    FaultActions actions;
    faults.from_client(peer, text, now, actions);
    carry_out(actions);
  }
  void add(std::string_view line) {
    FaultActions actions;
    last = faults.add(read(line).faults.at(0), now, actions);
    carry_out(actions);
  }
  void remove() {
    FaultActions actions;
    EXPECT_TRUE(faults.remove(last.value(), now, actions));
    carry_out(actions);
  }
  void clear() {
    FaultActions actions;
    faults.clear(now, actions);
    carry_out(actions);
  }
  void wait_ms(std::int64_t ms) {
    const LocalTime until = now + base::milliseconds{ms};
    while (now < until) {
      LocalTime next = std::min(until, base::local_time_ns(base::ns_of(exchange.next_deadline())));
      if (const auto due = faults.next_deadline()) next = std::min(next, *due);
      now = std::max(now, next);
      exchange.advance(venue());
      FaultActions actions;
      faults.advance(now, actions);
      carry_out(actions);
    }
  }
  /// One change of the book of `symbol`, and with it a depth frame 100 ms later.
  void change_book(std::string_view symbol = "BTCUSDT") {
    rest("POST", "/fapi/v1/order",
         fmt::format("symbol={}&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.010&price={}.00", symbol,
                     950 + ++changes_));
    wait_ms(150);
  }
  /// A signed request, as a client sends it; nothing when it was never answered.
  std::optional<HttpAnswer> rest(std::string_view method, std::string_view path,
                                 std::string_view query = "") {
    std::string text{query};
    if (!text.empty()) text += '&';
    text += fmt::format("timestamp={}", base::ms_of(venue()));
    text += "&signature=" + hmac_sha256_hex(secret, text);
    const HttpRequest request{.method = std::string{method},
                              .target = std::string{path} + "?" + text,
                              .body = "",
                              .api_key = std::string{key},
                              .client_address = "10.0.0.1"};
    const auto what = faults.rest_request(request, now);
    if (what.what == RestVerdict::What::swallow) return std::nullopt;
    if (what.what == RestVerdict::What::answer) return what.answer;
    if (what.delay_before > Duration{}) wait_ms(what.delay_before / base::milliseconds{1});
    auto answer = exchange.rest(request, venue());
    FaultActions none;
    carry_out(none);
    if (what.delay_after > Duration{}) wait_ms(what.delay_after / base::milliseconds{1});
    if (what.what == RestVerdict::What::lose) return std::nullopt;
    return what.what == RestVerdict::What::replace ? what.answer : answer;
  }
  void carry_out(FaultActions& actions) {
    while (true) {
      for (Out& out : exchange.drain()) faults.to_client(std::move(out), now, actions);
      if (actions.empty()) return;
      for (const FaultAction& action : std::exchange(actions, {})) {
        if (perform(action, exchange, venue())) continue;
        if (const auto* out = std::get_if<ToClient>(&action)) {
          arrive(out->out);
        } else if (const auto* gone = std::get_if<CutPeer>(&action)) {
          cuts[gone->peer] = gone->how;
          exchange.closed(gone->peer);
          faults.peer_closed(gone->peer);
        } else if (const auto* frozen = std::get_if<FreezePeer>(&action)) {
          freezes.push_back(frozen->peer);
        } else if (const auto* process = std::get_if<ProcessFault>(&action)) {
          processes.push_back(*process);
        }
      }
    }
  }
  void arrive(const Out& out) {
    if (out.what == Out::What::text) inbox[out.peer].push_back(out.text);
    if (out.what == Out::What::ping) ++pings[out.peer];
    if (out.what == Out::What::close) {
      closes[out.peer] = out;
      faults.peer_closed(out.peer);
    }
  }
  std::vector<std::string> read(PeerId peer) { return std::exchange(inbox[peer], {}); }
  std::uint64_t injected(FaultKind kind) const { return faults.stats().of(kind).injected; }

  Exchange exchange;
  LocalTime now;
  Faults faults;
  UpgradeVerdict verdict;
  std::optional<Faults::Id> last;
  std::map<PeerId, std::vector<std::string>> inbox;
  std::map<PeerId, int> pings;
  std::map<PeerId, Out> closes;
  std::map<PeerId, CutPeer::How> cuts;
  std::vector<PeerId> freezes;
  std::vector<ProcessFault> processes;

 private:
  int changes_ = 0;
};

std::int64_t depth_id(const std::string& frame) {
  return json::parse(frame).at("data").at("u").get<std::int64_t>();
}

/// Lines A and B of the book of BTCUSDT.
void open_lines(World& world) {
  ASSERT_TRUE(world.open(a, public_target()));
  ASSERT_TRUE(world.open(b, public_target()));
}

TEST(Faults, without_faults_everything_passes_at_once) {
  World world;
  open_lines(world);
  world.change_book();
  EXPECT_EQ(world.read(a).size(), 1U);
  EXPECT_EQ(world.read(b).size(), 1U);
  EXPECT_FALSE(world.faults.next_deadline().has_value());
  EXPECT_FALSE(world.faults.is_faulty(a, world.now));
}

TEST(Faults, mute_stream_silences_one_stream_of_one_connection) {
  World world;
  ASSERT_TRUE(world.open(a, public_target("btcusdt@depth@100ms/ethusdc@depth@100ms")));
  ASSERT_TRUE(world.open(b, public_target("btcusdt@depth@100ms/ethusdc@depth@100ms")));
  world.add("at 0s for 10s mute_stream public nth=0 stream=btcusdt@depth@100ms");
  world.change_book("BTCUSDT");
  world.change_book("ETHUSDC");
  const auto frames = world.read(a);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_THAT(frames[0], HasSubstr("ethusdc@depth@100ms"));
  EXPECT_EQ(world.read(b).size(), 2U);
  EXPECT_TRUE(world.faults.is_faulty(a, world.now));
  EXPECT_FALSE(world.faults.is_faulty(b, world.now));
  world.wait_ms(10'000);
  EXPECT_FALSE(world.faults.is_faulty(a, world.now));
  world.change_book("BTCUSDT");
  EXPECT_EQ(world.read(a).size(), 1U);
}

TEST(Faults, mute_withholds_data_while_pings_and_control_messages_go_on) {
  World world;
  open_lines(world);
  world.add("at 0s for 10m mute public oldest");
  world.change_book();
  EXPECT_TRUE(world.read(a).empty());
  world.say(a, R"({"method":"LIST_SUBSCRIPTIONS","id":7})");
  const auto answers = world.read(a);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_THAT(answers[0], HasSubstr("btcusdt@depth@100ms"));
  world.wait_ms(200'000);
  EXPECT_EQ(world.pings[a], 1);
  world.clear();
  world.change_book();
  EXPECT_EQ(world.read(a).size(), 1U);
}

TEST(Faults, half_open_lets_nothing_pass_and_ends_with_a_reset) {
  World world;
  open_lines(world);
  world.add("at 0s for 4m half_open public nth=1");
  EXPECT_EQ(world.freezes, std::vector<PeerId>{b});
  EXPECT_TRUE(world.faults.is_half_open(b));
  world.say(b, R"({"method":"LIST_SUBSCRIPTIONS","id":7})");
  world.change_book();
  world.wait_ms(200'000);
  EXPECT_TRUE(world.read(b).empty());
  EXPECT_EQ(world.pings[b], 0);
  EXPECT_EQ(world.pings[a], 1);
  EXPECT_FALSE(world.cuts.contains(b));
  world.wait_ms(60'000);
  EXPECT_EQ(world.cuts.at(b), CutPeer::How::reset);
  EXPECT_FALSE(world.cuts.contains(a));
}

TEST(Faults, half_open_of_all_answers_no_handshake) {
  World world;
  world.add("at 0s for 10s half_open private");
  EXPECT_FALSE(world.open(a, "/private/ws/x"));
  EXPECT_EQ(world.verdict.what, UpgradeVerdict::What::never_answer);
  EXPECT_TRUE(world.open(b, public_target()));
  world.wait_ms(10'000);
  EXPECT_TRUE(world.open(a, "/private/ws/x"));
}

TEST(Faults, cut_resets_what_it_names) {
  World world;
  open_lines(world);
  world.add("at 50ms cut public oldest");
  world.wait_ms(49);
  EXPECT_TRUE(world.cuts.empty());
  world.wait_ms(1);
  EXPECT_EQ(world.cuts, (std::map<PeerId, CutPeer::How>{{a, CutPeer::How::reset}}));
  EXPECT_EQ(world.exchange.peer_count(), 1U);
}

TEST(Faults, cut_for_a_while_strikes_whatever_connects_meanwhile) {
  World world;
  open_lines(world);
  world.add("at 0s for 10s cut_mid_frame public amount=300");
  EXPECT_EQ(world.cuts.size(), 2U);
  EXPECT_EQ(world.cuts.at(a), CutPeer::How::mid_frame);
  ASSERT_TRUE(world.open(5, public_target()));
  world.wait_ms(299);
  EXPECT_FALSE(world.cuts.contains(5));
  world.wait_ms(1);
  EXPECT_TRUE(world.cuts.contains(5));
  world.wait_ms(10'000);
  ASSERT_TRUE(world.open(6, public_target()));
  world.wait_ms(1000);
  EXPECT_FALSE(world.cuts.contains(6));
}

TEST(Faults, a_chosen_connection_stays_the_chosen_one) {
  World world;
  open_lines(world);
  world.add("at 0s for 10s mute public nth=0");
  world.exchange.closed(a);
  world.faults.peer_closed(a);
  ASSERT_TRUE(world.open(5, public_target()));
  world.change_book();
  EXPECT_EQ(world.read(b).size(), 1U);
  EXPECT_EQ(world.read(5).size(), 1U);
}

TEST(Faults, a_connection_that_opens_later_does_not_draw_the_fault_to_itself) {
  World world;
  open_lines(world);
  world.add("at 0s for 10s mute public newest");
  ASSERT_TRUE(world.open(5, public_target()));
  world.change_book();
  EXPECT_TRUE(world.read(b).empty());
  EXPECT_EQ(world.read(5).size(), 1U);
}

TEST(Faults, a_choice_that_nothing_fits_yet_waits_for_its_connection) {
  World world;
  world.add("at 0s for 10s mute public nth=1");
  open_lines(world);
  world.change_book();
  EXPECT_EQ(world.read(a).size(), 1U);
  EXPECT_TRUE(world.read(b).empty());
}

TEST(Faults, close_server_shutdown_and_age_cut_end_with_their_codes) {
  World world;
  open_lines(world);
  world.add("at 0s close public oldest amount=1008");
  EXPECT_EQ(world.closes.at(a).close_code, 1008);
  world.add("at 0s server_shutdown public amount=2000");
  ASSERT_EQ(world.inbox[b].size(), 1U);
  EXPECT_THAT(world.inbox[b][0], HasSubstr(R"({"stream":"!serverShutdown","data":{"e":"serverShutdown")"));
  world.wait_ms(1999);
  EXPECT_FALSE(world.closes.contains(b));
  world.wait_ms(1);
  EXPECT_EQ(world.closes.at(b).close_code, 1001);
  ASSERT_TRUE(world.open(5, "/market/ws/btcusdt@aggTrade"));
  ASSERT_TRUE(world.open(6, "/private/ws/x"));
  world.add("at 0s age_cut market");
  EXPECT_EQ(world.closes.at(5).close_code, 1001);
  EXPECT_FALSE(world.closes.contains(6));
}

TEST(Faults, refuse_answers_handshakes_with_a_status_and_says_how_long) {
  World world;
  open_lines(world);
  world.add("at 0s for 1500ms refuse public amount=429");
  EXPECT_FALSE(world.open(5, public_target()));
  EXPECT_EQ(world.verdict.refusal.status, 429);
  EXPECT_EQ(protocol_test::header(world.verdict.refusal, "Retry-After"), "2");
  EXPECT_TRUE(world.open(6, "/market/ws/btcusdt@aggTrade"));
  world.change_book();
  EXPECT_EQ(world.read(a).size(), 1U) << "who is in stays in";
  world.wait_ms(1400);
  EXPECT_TRUE(world.open(5, public_target()));
  world.add("at 0s for 1s refuse amount=0");
  EXPECT_FALSE(world.open(7, public_target()));
  EXPECT_EQ(world.verdict.what, UpgradeVerdict::What::never_answer);
}

TEST(Faults, drip_delivers_ever_later_in_order_and_all_at_once_when_it_ends) {
  World world;
  open_lines(world);
  world.add("at 0s for 60s drip public oldest amount=100");
  for (int i = 0; i < 10; ++i) world.change_book();
  const std::size_t early = world.inbox[a].size();
  EXPECT_LT(early, 3U);
  world.wait_ms(5000);
  EXPECT_GT(world.inbox[a].size(), early);
  EXPECT_LT(world.inbox[a].size(), 10U);
  world.clear();
  const auto late = world.read(a), at_once = world.read(b);
  EXPECT_EQ(late, at_once) << "equal frames in equal order";
}

TEST(Faults, delay_holds_both_ways_and_keeps_the_order) {
  World world;
  open_lines(world);
  world.add("at 0s for 60s delay public oldest amount=500");
  world.say(a, R"({"method":"LIST_SUBSCRIPTIONS","id":7})");
  world.wait_ms(999);
  EXPECT_TRUE(world.read(a).empty());
  world.wait_ms(1);
  EXPECT_EQ(world.read(a).size(), 1U);
  for (int i = 0; i < 3; ++i) world.change_book();
  world.wait_ms(500);
  EXPECT_EQ(world.read(a), world.read(b));
}

TEST(Faults, a_close_comes_after_the_data_before_it_even_when_nothing_else_keeps_the_order) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    World world{"", seed};
    open_lines(world);
    world.add("at 0s for 60s jitter public oldest amount=2000");
    for (int i = 0; i < 5; ++i) world.change_book();
    world.add("at 0s close public oldest");
    for (int i = 0; i < 4000 && !world.closes.contains(a); ++i) world.wait_ms(1);
    ASSERT_TRUE(world.closes.contains(a));
    EXPECT_EQ(world.inbox[a].size(), 5U) << "seed " << seed;
  }
}

TEST(Faults, jitter_loses_the_order_and_nothing_else) {
  World world;
  open_lines(world);
  world.add("at 0s for 60s jitter public oldest amount=2000");
  for (int i = 0; i < 20; ++i) world.change_book();
  world.wait_ms(2000);
  auto shuffled = world.read(a), straight = world.read(b);
  EXPECT_NE(shuffled, straight);
  std::sort(shuffled.begin(), shuffled.end());
  std::sort(straight.begin(), straight.end());
  EXPECT_EQ(shuffled, straight);
}

TEST(Faults, drop_loses_its_share) {
  World world;
  open_lines(world);
  world.add("at 0s for 10m drop public oldest amount=300");
  for (int i = 0; i < 60; ++i) world.change_book();
  const auto lost = 60 - world.read(a).size();
  EXPECT_EQ(lost, world.injected(FaultKind::drop));
  EXPECT_GT(lost, 5U);
  EXPECT_LT(lost, 40U);
  EXPECT_EQ(world.read(b).size(), 60U);
}

TEST(Faults, duplicate_sends_twice_in_a_row) {
  World world;
  open_lines(world);
  world.add("at 0s for 1m duplicate public oldest amount=1000");
  world.change_book();
  const auto frames = world.read(a);
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0], frames[1]);
}

TEST(Faults, reorder_swaps_neighbours_and_holds_the_last_one_not_for_ever) {
  World world;
  ASSERT_TRUE(world.open(a, "/public/stream?streams=btcusdt@depth@100ms"));
  world.add("at 0s for 1m reorder public oldest amount=1000");
  const auto change = [&](int price) {
    world.rest(
        "POST", "/fapi/v1/order",
        fmt::format("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.010&price={}", price));
    world.wait_ms(100);
  };
  change(960);
  change(961);
  auto frames = world.read(a);
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_GT(depth_id(frames[0]), depth_id(frames[1]));
  change(962);
  EXPECT_TRUE(world.read(a).empty());
  world.wait_ms(200);
  EXPECT_EQ(world.read(a).size(), 1U);
}

TEST(Faults, corrupt_data_are_never_valid_json) {
  World world;
  open_lines(world);
  world.add("at 0s for 10m corrupt public oldest amount=1000");
  for (int i = 0; i < 50; ++i) world.change_book();
  const auto frames = world.read(a);
  ASSERT_EQ(frames.size(), 50U);
  for (const auto& frame : frames) EXPECT_FALSE(json::accept(frame)) << frame;
}

TEST(Faults, stuck_data_flow_and_never_change) {
  World world;
  open_lines(world);
  world.add("at 0s for 1m stuck public oldest");
  for (int i = 0; i < 3; ++i) world.change_book();
  const auto frames = world.read(a);
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[0], frames[1]);
  EXPECT_EQ(frames[0], frames[2]);
  world.clear();
  world.change_book();
  EXPECT_NE(world.read(a).at(0), frames[0]);
}

std::string order_query(int price) {
  return fmt::format("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.010&price={}", price);
}

std::size_t open_orders(World& world) {
  return world.exchange.core().open_orders(*world.exchange.core().find_account(key)).size();
}

TEST(Faults, rest_silent_neither_executes_nor_answers) {
  World world;
  world.add("at 0s for 1s rest_silent path=/order");
  EXPECT_FALSE(world.rest("POST", "/fapi/v1/order", order_query(950)).has_value());
  EXPECT_EQ(open_orders(world), 0U);
  EXPECT_EQ(world.rest("GET", "/fapi/v1/time")->status, 200) << "another path";
  world.wait_ms(1000);
  EXPECT_EQ(world.rest("POST", "/fapi/v1/order", order_query(950))->status, 200);
}

TEST(Faults, a_lost_rest_answer_was_executed) {
  World world;
  world.add("at 0s for 1s rest_answer_lost");
  EXPECT_FALSE(world.rest("POST", "/fapi/v1/order", order_query(950)).has_value());
  EXPECT_EQ(open_orders(world), 1U);
}

TEST(Faults, rest_delay_takes_its_time_on_one_way) {
  World world;
  world.add("at 0s for 1h rest_delay amount=700");
  bool late_request = false, late_answer = false;
  for (int i = 0; i < 20; ++i) {
    const auto before = base::ms_of(world.venue());
    const auto answer = world.rest("GET", "/fapi/v1/time");
    EXPECT_EQ(base::ms_of(world.venue()) - before, 700);
    const auto shown = json::parse(answer->body).at("serverTime").get<std::int64_t>() - before;
    late_request |= shown == 700;
    late_answer |= shown == 0;
  }
  EXPECT_TRUE(late_request);
  EXPECT_TRUE(late_answer);
}

TEST(Faults, rest_status_refuses_and_says_when_to_come_back) {
  World world;
  world.add("at 0s for 2500ms rest_status amount=418");
  const auto answer = world.rest("POST", "/fapi/v1/order", order_query(950));
  EXPECT_EQ(answer->status, 418);
  EXPECT_EQ(protocol_test::header(*answer, "Retry-After"), "3");
  EXPECT_EQ(open_orders(world), 0U);
  world.wait_ms(2500);
  EXPECT_EQ(world.rest("GET", "/fapi/v1/time")->status, 200);
  for (const int status : {403, 429, 503}) {
    world.clear();
    world.add(fmt::format("at 0s for 1s rest_status amount={}", status));
    EXPECT_EQ(world.rest("GET", "/fapi/v1/time")->status, status);
  }
}

TEST(Faults, rest_unknown_may_have_been_executed_or_not) {
  World world;
  world.add("at 0s for 1h rest_unknown");
  for (int i = 0; i < 20; ++i) {
    const auto answer = world.rest("POST", "/fapi/v1/order", order_query(950 + i));
    EXPECT_EQ(answer->status, 503);
    EXPECT_THAT(answer->body, HasSubstr("Unknown error"));
  }
  EXPECT_GT(open_orders(world), 0U);
  EXPECT_LT(open_orders(world), 20U);
}

/// order.place over the order API.
std::string place(World& world, int id) {
  json params = {{"apiKey", key},
                 {"symbol", "BTCUSDT"},
                 {"side", "BUY"},
                 {"type", "LIMIT"},
                 {"timeInForce", "GTC"},
                 {"quantity", "0.010"},
                 {"price", std::to_string(950 + id)},
                 {"timestamp", base::ms_of(world.venue())}};
  std::string payload;
  for (const auto& [name, value] : params.items())
    payload += (payload.empty() ? "" : "&") + name + "=" +
               (value.is_string() ? value.get<std::string>() : value.dump());
  params["signature"] = hmac_sha256_hex(secret, payload);
  return json{{"id", id}, {"method", "order.place"}, {"params", params}}.dump();
}

TEST(Faults, order_answers_get_lost_after_the_execution) {
  World world;
  ASSERT_TRUE(world.open(orders, "/ws-fapi/v1"));
  world.add("at 0s for 1s order_answer_lost");
  world.say(orders, place(world, 1));
  EXPECT_TRUE(world.read(orders).empty());
  EXPECT_EQ(open_orders(world), 1U);
  world.say(orders, R"({"id":2,"method":"ping"})");
  EXPECT_EQ(world.read(orders).size(), 1U) << "only order requests";
  world.wait_ms(1000);
  world.say(orders, place(world, 3));
  EXPECT_EQ(world.read(orders).size(), 1U);
}

TEST(Faults, order_requests_vanish) {
  World world;
  ASSERT_TRUE(world.open(orders, "/ws-fapi/v1"));
  world.add("at 0s for 1s order_silent order_api");
  world.say(orders, place(world, 1));
  EXPECT_TRUE(world.read(orders).empty());
  EXPECT_EQ(open_orders(world), 0U);
}

TEST(Faults, muting_the_order_api_loses_its_answers) {
  World world;
  ASSERT_TRUE(world.open(orders, "/ws-fapi/v1"));
  world.add("at 0s for 1s mute order_api");
  world.say(orders, place(world, 1));
  EXPECT_TRUE(world.read(orders).empty());
  EXPECT_EQ(open_orders(world), 1U);
}

std::string listen_key(World& world) {
  return json::parse(world.rest("POST", "/fapi/v1/listenKey")->body).at("listenKey").get<std::string>();
}

TEST(Faults, user_events_get_lost_by_type) {
  World world;
  ASSERT_TRUE(world.open(user, "/private/ws/" + listen_key(world)));
  world.add("at 0s for 1s user_event_lost event=ORDER_TRADE_UPDATE");
  world.rest("POST", "/fapi/v1/order", order_query(950));
  EXPECT_TRUE(world.read(user).empty());
  world.rest("POST", "/fapi/v1/leverage", "symbol=BTCUSDT&leverage=5");
  EXPECT_EQ(world.read(user).size(), 1U) << "another type";
  world.wait_ms(1000);
  world.rest("POST", "/fapi/v1/order", order_query(951));
  EXPECT_EQ(world.read(user).size(), 1U);
}

TEST(Faults, listen_keys_expire_told_or_silently) {
  for (const bool told : {true, false}) {
    World world;
    const auto first = listen_key(world);
    ASSERT_TRUE(world.open(user, "/private/ws/" + first));
    world.add(told ? "at 0s expire_listen_key" : "at 0s expire_listen_key_silent");
    const auto frames = world.read(user);
    ASSERT_EQ(frames.size(), told ? 1U : 0U);
    if (told) {
      EXPECT_THAT(frames[0], HasSubstr("listenKeyExpired"));
    }
    world.rest("POST", "/fapi/v1/order", order_query(950));
    EXPECT_TRUE(world.read(user).empty());
    EXPECT_NE(world.rest("PUT", "/fapi/v1/listenKey")->status, 200);
    EXPECT_NE(listen_key(world), first);
  }
}

TEST(Faults, skew_moves_event_times_the_servers_time_and_the_timestamp_check) {
  World world;
  open_lines(world);
  world.add("at 0s for 1m skew amount=-3000");
  world.change_book();
  EXPECT_EQ(open_orders(world), 0U) << "our timestamp lies 3 s ahead of the venue's clock";
  const auto refused = world.rest("POST", "/fapi/v1/order", order_query(950));
  EXPECT_THAT(refused->body, HasSubstr("-1021"));
  const auto shown =
      json::parse(world.rest("GET", "/fapi/v1/time")->body).at("serverTime").get<std::int64_t>();
  EXPECT_EQ(shown, base::ms_of(world.venue()) - 3000);
  ASSERT_TRUE(world.open(5, "/market/ws/btcusdt@markPrice@1s"));
  world.wait_ms(2000);
  const auto frames = world.read(5);
  ASSERT_FALSE(frames.empty());
  const auto behind = base::ms_of(world.venue()) - json::parse(frames.back()).at("E").get<std::int64_t>();
  EXPECT_GE(behind, 3000);
  EXPECT_LT(behind, 4000);
  world.clear();
  EXPECT_EQ(world.rest("POST", "/fapi/v1/order", order_query(950))->status, 200);
}

TEST(Faults, skews_add_up) {
  World world("at 0s for 10s skew amount=1000\nat 1s for 1s skew amount=500\n");
  const auto offset = [&] {
    return json::parse(world.rest("GET", "/fapi/v1/time")->body).at("serverTime").get<std::int64_t>() -
           base::ms_of(world.venue());
  };
  world.wait_ms(500);
  EXPECT_EQ(offset(), 1000);
  world.wait_ms(1000);
  EXPECT_EQ(offset(), 1500);
  world.wait_ms(1000);
  EXPECT_EQ(offset(), 1000);
  world.wait_ms(8000);
  EXPECT_EQ(offset(), 0);
}

std::string status_of(World& world, std::string_view symbol) {
  const auto info = json::parse(world.rest("GET", "/fapi/v1/exchangeInfo")->body);
  for (const auto& row : info.at("symbols")) {
    if (row.at("symbol") == symbol) return row.at("status").get<std::string>();
  }
  return "";
}

TEST(Faults, a_halted_symbol_neither_trades_nor_moves_until_the_last_halt_ends) {
  World world{"", 1, desk_options()};
  ASSERT_TRUE(world.open(a, "/public/ws/xrpusdt@bookTicker"));
  world.wait_ms(2000);
  EXPECT_FALSE(world.read(a).empty());
  world.add("at 0s for 10s halt_symbol symbol=XRPUSDT");
  world.add("at 5s for 10s halt_symbol symbol=XRPUSDT");
  EXPECT_NE(status_of(world, "XRPUSDT"), "TRADING");
  world.read(a);
  world.wait_ms(14'000);
  EXPECT_TRUE(world.read(a).empty());
  EXPECT_NE(status_of(world, "XRPUSDT"), "TRADING");
  world.wait_ms(3000);
  EXPECT_EQ(status_of(world, "XRPUSDT"), "TRADING");
  EXPECT_FALSE(world.read(a).empty());
}

std::int64_t depth_of(World& world, int limit) {
  const auto answer = world.rest("GET", "/fapi/v1/depth", fmt::format("symbol=BTCUSDT&limit={}", limit));
  return json::parse(answer->body).at("lastUpdateId").get<std::int64_t>();
}

TEST(Faults, probes_and_snapshots_come_from_replicas_that_lag) {
  for (const bool probes : {true, false}) {
    World world;
    world.change_book();
    const auto old_id = depth_of(world, 5);
    world.add(probes ? "at 0s for 10s probe_lag amount=2000" : "at 0s for 10s stale_snapshot amount=2000");
    world.change_book();
    const auto new_id = depth_of(world, probes ? 1000 : 5);
    EXPECT_GT(new_id, old_id);
    EXPECT_EQ(depth_of(world, probes ? 5 : 1000), old_id);
    world.wait_ms(4000);
    EXPECT_EQ(depth_of(world, probes ? 5 : 1000), new_id) << "it lags, it does not stand still";
    world.change_book();
    world.clear();
    EXPECT_EQ(depth_of(world, 5), depth_of(world, 1000));
    EXPECT_GT(depth_of(world, 5), new_id);
  }
}

TEST(Faults, faults_of_the_process_are_handed_on) {
  World world(
      "at 1s for 4s pause_process\nat 2s kill_process amount=700\nat 3s strategy_throws symbol=ETHUSDC\n");
  world.wait_ms(5000);
  ASSERT_EQ(world.processes.size(), 3U);
  EXPECT_EQ(world.processes[0].length, base::seconds{4});
  EXPECT_EQ(world.processes[1].length, base::milliseconds{700});
  EXPECT_EQ(world.processes[2].symbol, "ETHUSDC");
}

TEST(Faults, a_plan_begins_and_ends_by_its_own_times_and_shows_what_goes_on) {
  World world("at 1s for 2s mute public\nat 2s for 3s drop public oldest amount=10\n");
  open_lines(world);
  EXPECT_EQ(world.faults.all().size(), 2U);
  EXPECT_TRUE(world.faults.active().empty());
  EXPECT_EQ(*world.faults.last_end(), world.now + base::seconds{5});
  const LocalTime start = world.now;
  world.wait_ms(2500);
  ASSERT_EQ(world.faults.active().size(), 2U);
  EXPECT_EQ(world.faults.active()[1].peer, a);
  EXPECT_EQ(world.faults.fault_since(a, world.now), start + base::seconds{1});
  world.wait_ms(2500);
  EXPECT_TRUE(world.faults.all().empty());
  EXPECT_FALSE(world.faults.last_end().has_value());
  EXPECT_EQ(world.faults.stats().of(FaultKind::mute).begun, 1U);
}

TEST(Faults, one_fault_is_lifted_without_the_others) {
  World world;
  open_lines(world);
  world.add("at 0s for 1h mute public nth=1");
  world.add("at 0s for 1h mute public nth=0");
  world.remove();
  world.change_book();
  EXPECT_EQ(world.read(a).size(), 1U);
  EXPECT_TRUE(world.read(b).empty());
  FaultActions actions;
  EXPECT_FALSE(world.faults.remove(*world.last, world.now, actions));
}

TEST(Faults, what_is_held_back_is_bounded) {
  World world;
  open_lines(world);
  world.add("at 0s for 1h drip public oldest amount=1");
  FaultActions actions;
  const std::string big(1 << 20, 'x');
  for (int i = 0; i < 20 && !world.cuts.contains(a); ++i) {
    world.faults.to_client({.peer = a, .text = big, .reason = {}, .stream = "btcusdt@depth@100ms"}, world.now,
                           actions);
    world.carry_out(actions);
  }
  EXPECT_TRUE(world.cuts.contains(a));
  EXPECT_EQ(world.faults.stats().overflows, 1U);
}

TEST(Faults, equal_seeds_and_calls_give_equal_ends) {
  const auto run = [](std::uint64_t seed) {
    DrawOptions options;
    options.length = base::minutes{1};
    options.settle = base::seconds{10};
    options.first = base::seconds{1};
    options.fault_length_max = base::seconds{20};
    options.symbols = {"BTCUSDT", "XRPUSDT"};
    World world{text(draw_plan(seed, options)), seed, desk_options()};
    std::string trace;
    const std::string targets[] = {public_target("xrpusdt@depth@100ms/xrpusdt@bookTicker"),
                                   "/market/stream?streams=xrpusdt@aggTrade/xrpusdt@markPrice@1s",
                                   "/ws-fapi/v1"};
    PeerId next = 1;
    std::map<PeerId, std::size_t> open;
    for (int second = 0; second < 60; ++second) {
      for (std::size_t i = 0; i < 3; ++i) {
        const bool there =
            std::any_of(open.begin(), open.end(), [&](const auto& o) { return o.second == i; });
        if (!there && world.open(next, targets[i])) open[next] = i;
        ++next;
      }
      world.wait_ms(1000);
      for (auto& [peer, frames] : world.inbox) {
        for (const auto& frame : frames) trace += frame.substr(0, 200);
        frames.clear();
      }
      std::erase_if(open, [&](const auto& o) {
        return world.cuts.contains(o.first) || world.closes.contains(o.first);
      });
    }
    EXPECT_TRUE(world.faults.active().empty()) << "seed " << seed;
    return trace;
  };
  for (std::uint64_t seed = 1; seed <= 4; ++seed) EXPECT_EQ(run(seed), run(seed)) << "seed " << seed;
}

}  // namespace
}  // namespace phoenix::exchange
