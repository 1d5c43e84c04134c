#include "exchange/protocol_test_kit.hpp"
#include "exchange/stream_name.hpp"

#include <map>
#include <string>

#include <gtest/gtest.h>

namespace phoenix::exchange::protocol_test {
namespace {

constexpr PeerId p1 = 1, p2 = 2;

TEST(StreamName, forms_speeds_and_routes_are_told_apart) {
  const auto depth = parse_stream_name("btcusdt@depth@100ms");
  ASSERT_TRUE(depth);
  EXPECT_EQ(depth->symbol, "BTCUSDT");
  EXPECT_EQ(depth->interval, base::milliseconds{100});
  EXPECT_EQ(parse_stream_name("btcusdt@depth")->interval, base::milliseconds{250});
  EXPECT_EQ(parse_stream_name("btcusdt@depth@0ms")->interval, base::Duration{});
  EXPECT_EQ(parse_stream_name("btcusdt@depth20@500ms")->levels, 20);
  EXPECT_EQ(parse_stream_name("!markPrice@arr@1s")->interval, base::seconds{1});
  for (const char* bad :
       {"", "@", "btcusdt", "BTCUSDT@depth", "btcusdt@depth@300ms", "btcusdt@depth7", "btcusdt@depth5@0ms",
        "btcusdt@kline_2m", "btcusdt@kline_1s", "btcusdt@what", "!what@arr", "btcusdt@trade@1s"}) {
    EXPECT_FALSE(parse_stream_name(bad)) << bad;
  }
  EXPECT_TRUE(delivers(Route::public_route, StreamKind::trade));
  EXPECT_TRUE(delivers(Route::legacy, StreamKind::depth));
  EXPECT_FALSE(delivers(Route::legacy, StreamKind::agg_trade));
  EXPECT_FALSE(delivers(Route::market, StreamKind::book_ticker));
}

TEST(StreamName, klines_open_on_their_own_grid) {
  const auto at = base::venue_time_ms(1'795'000'123'456);  // 2026-11-18 11:08:43 UTC, a Wednesday
  EXPECT_EQ(kline_open("1m", at), base::venue_time_ms(1'795'000'080'000));
  EXPECT_EQ(kline_open("1d", at), base::venue_time_ms(1'794'960'000'000));
  EXPECT_EQ(kline_open("1w", at), base::venue_time_ms(1'794'787'200'000));
  EXPECT_EQ(kline_open("1M", at), base::venue_time_ms(1'793'491'200'000));
}

TEST(Control, subscriptions_are_acknowledged_listed_and_ended) {
  Desk desk;
  ASSERT_TRUE(desk.open(p1, "/public/ws"));
  desk.say(
      p1,
      R"({"method":"SUBSCRIBE","params":["btcusdt@depth@100ms","nosuch@depth","btcusdt@aggTrade"],"id":1})");
  desk.say(p1, R"({"method":"LIST_SUBSCRIPTIONS","id":2})");
  desk.say(p1, R"({"method":"UNSUBSCRIBE","params":["nosuch@depth","never"],"id":3})");
  desk.say(p1, R"({"method":"LIST_SUBSCRIPTIONS","id":"four"})");
  EXPECT_EQ(desk.read_text(p1),
            (std::vector<std::string>{
                R"({"result":null,"id":1})",
                R"({"result":["btcusdt@depth@100ms","nosuch@depth","btcusdt@aggTrade"],"id":2})",
                R"({"result":null,"id":3})",
                R"({"result":["btcusdt@depth@100ms","btcusdt@aggTrade"],"id":"four"})"}));
}

TEST(Control, properties_switch_the_framing) {
  Desk desk;
  ASSERT_TRUE(desk.open(p1, "/public/ws/btcusdt@bookTicker"));
  desk.say(p1, R"({"method":"GET_PROPERTY","params":["combined"],"id":1})");
  desk.say(p1, R"({"method":"SET_PROPERTY","params":["combined",true],"id":2})");
  desk.say(p1, R"({"method":"GET_PROPERTY","params":["combined"],"id":3})");
  EXPECT_EQ(desk.read_text(p1),
            (std::vector<std::string>{R"({"result":false,"id":1})", R"({"result":null,"id":2})",
                                      R"({"result":true,"id":3})"}));
  desk.ask("POST", "/fapi/v1/order",
           "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=1000");
  const auto frames = desk.read(p1);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].at("stream"), "btcusdt@bookTicker");
}

TEST(Control, errors_have_the_venues_codes) {
  Desk desk;
  const std::pair<const char*, int> rows[] = {
      {R"({"method":"SET_PROPERTY","params":["other",true],"id":1})", 0},
      {R"({"method":"SET_PROPERTY","params":["combined","yes"],"id":1})", 1},
      {R"({"method":"SUBSCRIBE","params":["a"],"id":-1})", 2},
      {R"({"method":"SUBSCRIBE","params":["a"],"id":1.5})", 2},
      {R"({"method":"SUBSCRIBE","params":["a"]})", 2},
      {R"({"method":"DANCE","params":["a"],"id":1})", 2},
      {R"({"params":["a"],"id":1})", 2},
      {R"({"method":"SUBSCRIBE","params":"a","id":1})", 2},
      {R"({"method":"SUBSCRIBE","params":[1],"id":1})", 2},
      {R"({"method":"GET_PROPERTY","params":[7],"id":1})", 2},
      {R"({"method":"GET_PROPERTY","params":["combined","x"],"id":1})", 2},
      {"[]", 2},
      {"{", 3},
      {"\xff", 3},
      {"", 3},
  };
  PeerId peer = 100;
  for (const auto& [text, code] : rows) {
    ASSERT_TRUE(desk.open(++peer, "/public/ws"));
    desk.say(peer, text);
    const auto answers = desk.read(peer);
    ASSERT_EQ(answers.size(), 1U) << text;
    EXPECT_EQ(answers[0].at("error").at("code"), code) << text;
  }
}

TEST(Control, more_than_ten_messages_a_second_end_the_connection) {
  Desk desk;
  ASSERT_TRUE(desk.open(p1, "/public/ws"));
  for (int i = 0; i < 10; ++i) desk.say(p1, R"({"method":"LIST_SUBSCRIPTIONS","id":1})");
  EXPECT_EQ(desk.read(p1).size(), 10U);
  desk.wait_ms(1000);
  for (int i = 0; i < 11; ++i) desk.say(p1, R"({"method":"LIST_SUBSCRIPTIONS","id":1})");
  EXPECT_EQ(desk.read(p1).size(), 10U);
  ASSERT_TRUE(desk.closes.contains(p1));
  EXPECT_EQ(desk.closes[p1].close_code, 1008);
  EXPECT_EQ(desk.closes[p1].reason, "Too many requests");
  EXPECT_EQ(desk.exchange.peer_count(), 0U);
}

TEST(Control, the_1025th_stream_costs_the_connection) {
  Desk desk;
  ASSERT_TRUE(desk.open(p1, "/public/ws"));
  int id = 0;
  for (int batch = 0; batch < 8; ++batch) {
    std::string names;
    for (int i = 0; i < 128; ++i) names += fmt::format(R"({}"s{}@depth")", i == 0 ? "" : ",", ++id);
    desk.say(p1, fmt::format(R"({{"method":"SUBSCRIBE","params":[{}],"id":1}})", names));
  }
  EXPECT_EQ(desk.read(p1).size(), 8U);
  EXPECT_FALSE(desk.closes.contains(p1));
  desk.say(p1, R"({"method":"SUBSCRIBE","params":["one@more"],"id":9})");
  EXPECT_EQ(desk.read(p1).at(0).at("error").at("code"), 4);
  EXPECT_EQ(desk.closes.at(p1).close_code, 1008);
}

TEST(Handshake, paths_other_than_the_routes_are_refused) {
  Desk desk;
  for (const char* path : {"/", "", "/foo", "/public", "/public/foo", "/ws-fapi/v2", "/ws-fapi"}) {
    EXPECT_FALSE(desk.open(p1, path)) << path;
  }
  for (const char* path : {"/ws", "/stream", "/stream?streams=btcusdt@depth", "/public/ws", "/market/stream",
                           "/private/ws", "/ws-fapi/v1", "/ws/btcusdt@depth/btcusdt@trade"}) {
    EXPECT_TRUE(desk.open(p2, path)) << path;
    desk.exchange.closed(p2);
  }
}

TEST(Handshake, too_many_connections_of_one_address_are_refused) {
  auto options = quiet_options();
  options.limits.connections_per_5_minutes = 2;
  Desk desk{options};
  EXPECT_TRUE(desk.open(1, "/public/ws"));
  EXPECT_TRUE(desk.open(2, "/public/ws"));
  EXPECT_FALSE(desk.open(3, "/public/ws"));
  desk.wait_ms(300'000);
  EXPECT_TRUE(desk.open(3, "/public/ws"));
}

TEST(Handshake, a_stream_on_the_wrong_route_is_silent) {
  Desk desk;
  ASSERT_TRUE(desk.open(1, "/public/ws/xrpusdt@aggTrade"));
  ASSERT_TRUE(desk.open(2, "/market/ws/xrpusdt@depth@100ms"));
  ASSERT_TRUE(desk.open(3, "/ws/xrpusdt@aggTrade"));
  ASSERT_TRUE(desk.open(4, "/ws/xrpusdt@depth@100ms"));
  ASSERT_TRUE(desk.open(5, "/market/ws/xrpusdt@aggTrade"));
  ASSERT_TRUE(desk.open(6, "/public/ws/XRPUSDT@depth@100ms"));
  desk.wait_ms(20'000);
  EXPECT_TRUE(desk.read(1).empty());
  EXPECT_TRUE(desk.read(2).empty());
  EXPECT_TRUE(desk.read(3).empty());
  EXPECT_FALSE(desk.read(4).empty());
  EXPECT_FALSE(desk.read(5).empty());
  EXPECT_TRUE(desk.read(6).empty());
}

TEST(Life, the_server_pings_every_three_minutes_and_ends_a_silent_peer) {
  Desk desk{quiet_options()};
  ASSERT_TRUE(desk.open(p1, "/public/ws"));
  ASSERT_TRUE(desk.open(p2, "/public/ws"));
  desk.wait_ms(180'000);
  ASSERT_EQ(desk.pings[p1].size(), 1U);
  EXPECT_EQ(desk.pings[p1][0], std::to_string(start_ms + 180'000));
  for (int minute = 0; minute < 13; ++minute) {
    desk.exchange.ponged(p1, desk.now());
    desk.wait_ms(60'000);
  }
  EXPECT_FALSE(desk.closes.contains(p1));
  ASSERT_TRUE(desk.closes.contains(p2));
  EXPECT_EQ(desk.closes[p2].close_code, 1008);
  EXPECT_EQ(desk.closes[p2].reason, "Pong timeout");
}

TEST(Life, a_connection_is_cut_at_its_maximum_age) {
  auto options = quiet_options();
  options.connection_age_max = base::minutes{5};
  Desk desk{options};
  ASSERT_TRUE(desk.open(p1, "/public/ws"));
  desk.wait_ms(299'999);
  EXPECT_FALSE(desk.closes.contains(p1));
  desk.wait_ms(1);
  EXPECT_TRUE(desk.closes.contains(p1));
}

TEST(Life, a_silent_peer_gets_pings_but_no_data) {
  auto options = desk_options();
  options.ping_every = base::seconds{20};
  Desk desk{options};
  ASSERT_TRUE(desk.open(p1, "/public/ws/xrpusdt@depth@100ms"));
  desk.exchange.set_delivery(p1, Exchange::Delivery::silent);
  desk.wait_ms(21'000);
  EXPECT_TRUE(desk.read(p1).empty());
  EXPECT_EQ(desk.pings[p1].size(), 1U);
  desk.exchange.set_delivery(p1, Exchange::Delivery::normal);
  desk.wait_ms(10'000);
  EXPECT_FALSE(desk.read(p1).empty());
}

// Books from frames.

using Ladder = std::map<Price, Qty>;
struct Book {
  Ladder bids, asks;
  std::int64_t id = 0;

  static void put(Ladder& side, const json& levels) {
    for (const json& level : levels) {
      const auto qty = Qty::of(level[1].get<std::string>());
      const auto price = Price::of(level[0].get<std::string>());
      if (qty.is_zero()) {
        side.erase(price);
      } else {
        side[price] = qty;
      }
    }
  }
  void apply(const json& frame) {
    put(bids, frame.at("b"));
    put(asks, frame.at("a"));
    id = frame.at("u").get<std::int64_t>();
  }
  static Ladder of(const std::vector<Level>& levels) {
    Ladder out;
    for (const Level& level : levels) out[level.price] = level.qty;
    return out;
  }
};

TEST(Depth, every_speed_is_a_gapless_chain_that_rebuilds_the_cores_book) {
  for (const char* speed : {"@100ms", "", "@500ms", "@0ms"}) {
    Desk desk;
    desk.wait_ms(2'000);
    ASSERT_TRUE(desk.open(p1, fmt::format("/public/ws/xrpusdt@depth{}", speed)));
    const auto symbol = *desk.exchange.core().find_symbol("XRPUSDT");
    const DepthView start = desk.exchange.core().depth(symbol, 100'000);
    Book book{.bids = Book::of(start.bids), .asks = Book::of(start.asks), .id = start.last_update_id};
    std::int64_t last_time = 0;
    std::size_t frames = 0;
    for (int step = 0; step < 60; ++step) {
      desk.wait_ms(500);
      for (const json& frame : desk.read(p1)) {
        ++frames;
        EXPECT_EQ(frame.at("e"), "depthUpdate");
        EXPECT_EQ(frame.at("pu").get<std::int64_t>(), book.id) << speed;
        EXPECT_LE(frame.at("U").get<std::int64_t>(), frame.at("u").get<std::int64_t>());
        EXPECT_GT(frame.at("U").get<std::int64_t>(), frame.at("pu").get<std::int64_t>());
        EXPECT_GE(frame.at("E").get<std::int64_t>(), frame.at("T").get<std::int64_t>());
        EXPECT_GE(frame.at("E").get<std::int64_t>(), last_time);
        EXPECT_EQ(frame.at("st"), 1);
        last_time = frame.at("E").get<std::int64_t>();
        book.apply(frame);
      }
      const DepthView truth = desk.exchange.core().depth(symbol, 100'000);
      if (truth.last_update_id != book.id) continue;  // changes that wait for their interval
      EXPECT_EQ(book.bids, Book::of(truth.bids)) << speed;
      EXPECT_EQ(book.asks, Book::of(truth.asks)) << speed;
    }
    EXPECT_GT(frames, 20U) << speed;
  }
}

TEST(Depth, frames_keep_their_interval_and_none_comes_without_change) {
  Desk desk;
  ASSERT_TRUE(desk.open(p1, "/public/ws/btcusdt@depth@100ms"));
  desk.wait_ms(10'000);
  EXPECT_TRUE(desk.read(p1).empty());
  desk.wait_ms(30);
  desk.ask("POST", "/fapi/v1/order",
           "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=1000&newClientOrderId=a");
  desk.wait_ms(20);
  desk.ask("DELETE", "/fapi/v1/order", "symbol=BTCUSDT&origClientOrderId=a");
  desk.wait_ms(49);
  EXPECT_TRUE(desk.read(p1).empty());
  desk.wait_ms(1);
  const auto frames = desk.read(p1);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].at("b"), json::parse(R"([["1000.00","0.000"]])"));
  EXPECT_EQ(frames[0].at("a"), json::array());
  desk.wait_ms(10'000);
  EXPECT_TRUE(desk.read(p1).empty());
}

TEST(Depth, with_cuts_two_connections_see_equal_changes_in_different_frames) {
  auto options = desk_options();
  options.stream_cuts = 2;
  Desk desk{options};
  ASSERT_TRUE(desk.open(2, "/public/ws/xrpusdt@depth@100ms"));
  ASSERT_TRUE(desk.open(3, "/public/ws/xrpusdt@depth@100ms"));
  const auto symbol = *desk.exchange.core().find_symbol("XRPUSDT");
  const DepthView start = desk.exchange.core().depth(symbol, 100'000);
  Book a{.bids = Book::of(start.bids), .asks = Book::of(start.asks), .id = start.last_update_id}, b = a;
  desk.wait_ms(30'000);
  const auto first = desk.read(2), second = desk.read(3);
  for (const json& frame : first) a.apply(frame);
  for (const json& frame : second) b.apply(frame);
  EXPECT_NE(first, second);
  if (a.id == b.id) {
    EXPECT_EQ(a.bids, b.bids);
    EXPECT_EQ(a.asks, b.asks);
  }
}

TEST(Depth, partial_frames_are_the_complete_top) {
  Desk desk;
  ASSERT_TRUE(desk.open(p1, "/public/ws/xrpusdt@depth5@100ms"));
  const auto symbol = *desk.exchange.core().find_symbol("XRPUSDT");
  std::size_t frames = 0;
  for (int step = 0; step < 50; ++step) {
    desk.wait_ms(100);
    for (const json& frame : desk.read(p1)) {
      ++frames;
      const DepthView truth = desk.exchange.core().depth(symbol, 5);
      ASSERT_EQ(frame.at("b").size(), truth.bids.size());
      EXPECT_EQ(Price::of(frame.at("b")[0][0].get<std::string>()), truth.bids[0].price);
      EXPECT_EQ(Qty::of(frame.at("a")[4][1].get<std::string>()), truth.asks[4].qty);
    }
  }
  EXPECT_GT(frames, 3U);
}

TEST(MarketData, book_ticker_follows_every_change_of_the_top) {
  Desk desk;
  ASSERT_TRUE(desk.open(p1, "/public/stream?streams=btcusdt@bookTicker"));
  desk.ask("POST", "/fapi/v1/order",
           "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=999.9");
  desk.ask("POST", "/fapi/v1/order",
           "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=990");
  const auto frames = desk.read_text(p1);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_TRUE(frames[0].starts_with(R"({"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":)"))
      << frames[0];
  EXPECT_NE(frames[0].find(R"("s":"BTCUSDT","ps":"BTCUSDT","b":"999.90","B":"0.100","a":"0.00","A":"0.000")"),
            std::string::npos)
      << frames[0];
}

TEST(MarketData, trades_aggregate_by_price_and_side_with_consecutive_ids) {
  Desk desk;
  ASSERT_TRUE(desk.open(1, "/market/ws/xrpusdt@aggTrade"));
  ASSERT_TRUE(desk.open(2, "/public/ws/xrpusdt@trade"));
  desk.wait_ms(60'000);
  const auto rows = desk.read(1);
  const auto trades = desk.read(2);
  ASSERT_GT(rows.size(), 2U);
  std::map<std::int64_t, json> by_id;
  for (const json& trade : trades) by_id[trade.at("t").get<std::int64_t>()] = trade;
  std::int64_t id = rows[0].at("a").get<std::int64_t>() - 1;
  for (const json& row : rows) {
    EXPECT_EQ(row.at("a").get<std::int64_t>(), ++id);
    Qty sum;
    for (auto t = row.at("f").get<std::int64_t>(); t <= row.at("l").get<std::int64_t>(); ++t) {
      ASSERT_TRUE(by_id.contains(t));
      EXPECT_EQ(by_id[t].at("p"), row.at("p"));
      EXPECT_EQ(by_id[t].at("m"), row.at("m"));
      sum += Qty::of(by_id[t].at("q").get<std::string>());
    }
    EXPECT_EQ(sum, Qty::of(row.at("q").get<std::string>()));
    EXPECT_EQ(row.at("nq"), row.at("q"));
  }
}

TEST(MarketData, mark_prices_tick_by_the_second) {
  Desk desk;
  ASSERT_TRUE(desk.open(1, "/market/ws/btcusdt@markPrice@1s"));
  ASSERT_TRUE(desk.open(2, "/market/ws/btcusdt@markPrice"));
  ASSERT_TRUE(desk.open(3, "/market/stream?streams=!markPrice@arr@1s"));
  desk.wait_ms(30'000);
  EXPECT_EQ(desk.read(1).size(), 30U);
  EXPECT_EQ(desk.read(2).size(), 10U);
  const auto all = desk.read(3);
  ASSERT_EQ(all.size(), 30U);
  EXPECT_EQ(all[0].at("stream"), "!markPrice@arr@1s");
  ASSERT_EQ(all[0].at("data").size(), 3U);
  EXPECT_EQ(all[0].at("data")[0].at("p"), "1000.00000000");
}

TEST(MarketData, a_kline_closes_at_the_minute) {
  Desk desk;
  ASSERT_TRUE(desk.open(1, "/market/ws/xrpusdt@kline_1m"));
  desk.wait_ms(125'000);
  std::vector<json> closed;
  for (const json& frame : desk.read(1)) {
    if (frame.at("k").at("x").get<bool>()) closed.push_back(frame.at("k"));
  }
  ASSERT_EQ(closed.size(), 2U);
  EXPECT_EQ(closed[0].at("t"), start_ms);
  EXPECT_EQ(closed[0].at("T"), start_ms + 59'999);
  const json rows = desk.get("/fapi/v1/klines?symbol=XRPUSDT&interval=1m&limit=3");
  EXPECT_EQ(rows[0][4], closed[0].at("c"));
  EXPECT_EQ(rows[0][5], closed[0].at("v"));
}

// User data.

struct User : Desk {
  User() : Desk{quiet_options()} {}
  std::string listen_key = json::parse(plain("POST", "/fapi/v1/listenKey", "", key).body).at("listenKey");
};
constexpr std::string_view bid =
    "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTX&quantity=0.100&price=1000.00&newClientOrderId=phx-1";

TEST(UserData, one_key_per_account_lives_sixty_minutes_from_the_last_call) {
  User desk;
  const auto made = [&](std::string_view api_key) {
    return json::parse(desk.plain("POST", "/fapi/v1/listenKey", "", api_key).body)
        .at("listenKey")
        .get<std::string>();
  };
  EXPECT_EQ(desk.listen_key.size(), 64U);
  EXPECT_EQ(made(key), desk.listen_key);
  EXPECT_NE(made("OTHER"), desk.listen_key);
  desk.wait_ms(59 * 60'000);
  EXPECT_EQ(desk.plain("PUT", "/fapi/v1/listenKey", "", key).status, 200);
  desk.wait_ms(59 * 60'000);
  EXPECT_EQ(made(key), desk.listen_key) << "extended";
  desk.wait_ms(60 * 60'000);
  EXPECT_NE(made(key), desk.listen_key) << "expired";
}

TEST(UserData, an_expired_key_says_so_once_and_leaves_a_silent_open_socket) {
  auto options = quiet_options();
  options.listen_key_life = base::minutes{2};
  Desk desk{options};
  const std::string old = json::parse(desk.plain("POST", "/fapi/v1/listenKey", "", key).body).at("listenKey");
  ASSERT_TRUE(desk.open(p1, "/private/ws/" + old));
  desk.wait_ms(120'000);
  const auto frames = desk.read(p1);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].at("e"), "listenKeyExpired");
  EXPECT_EQ(frames[0].at("listenKey"), old);
  desk.ask("POST", "/fapi/v1/order", bid);
  EXPECT_TRUE(desk.read(p1).empty());
  EXPECT_FALSE(desk.closes.contains(p1));
  const auto refused = desk.plain("PUT", "/fapi/v1/listenKey", "", key);
  EXPECT_EQ(json::parse(refused.body).at("code"), -1125);
  EXPECT_NE(json::parse(desk.plain("POST", "/fapi/v1/listenKey", "", key).body).at("listenKey"), old);
}

TEST(UserData, deleting_the_key_closes_its_streams) {
  User desk;
  ASSERT_TRUE(desk.open(p1, "/private/ws/" + desk.listen_key));
  EXPECT_EQ(desk.plain("DELETE", "/fapi/v1/listenKey", "", key).body, "{}");
  EXPECT_TRUE(desk.closes.contains(p1));
  EXPECT_EQ(json::parse(desk.plain("DELETE", "/fapi/v1/listenKey", "", key).body).at("code"), -1125);
}

TEST(UserData, an_unknown_key_and_the_legacy_path_are_accepted_and_silent) {
  User desk;
  ASSERT_TRUE(desk.open(1, "/private/ws/" + std::string(64, 'a')));
  ASSERT_TRUE(desk.open(2, "/ws/" + desk.listen_key));
  ASSERT_TRUE(desk.open(3, "/private/ws?listenKey=" + desk.listen_key));
  ASSERT_TRUE(desk.open(4, "/private/ws?listenKey=" + desk.listen_key + "&events=ACCOUNT_UPDATE/TRADE_LITE"));
  ASSERT_TRUE(desk.open(5, "/private/stream?listenKey=" + desk.listen_key));
  ASSERT_TRUE(desk.open(6, "/private/stream?streams="));
  desk.say(6, fmt::format(R"({{"method":"SUBSCRIBE","params":["{}"],"id":1}})", desk.listen_key));
  (void)desk.read(6);
  desk.ask("POST", "/fapi/v1/order", bid);
  EXPECT_TRUE(desk.read(1).empty());
  EXPECT_TRUE(desk.read(2).empty());
  EXPECT_EQ(desk.read(3).size(), 1U);
  EXPECT_TRUE(desk.read(4).empty());
  const auto combined = desk.read(5);
  ASSERT_EQ(combined.size(), 1U);
  EXPECT_EQ(combined[0].at("stream"), desk.listen_key);
  EXPECT_EQ(combined[0].at("data").at("e"), "ORDER_TRADE_UPDATE");
  EXPECT_EQ(desk.read(6), combined);
}

TEST(UserData, a_fill_tells_the_account_then_the_order) {
  User desk;
  ASSERT_TRUE(desk.open(p1, "/private/ws/" + desk.listen_key));
  desk.ask("POST", "/fapi/v1/order", bid);
  auto frames = desk.read(p1);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].at("o").at("x"), "NEW");
  EXPECT_EQ(frames[0].at("o").at("b"), "100");
  ASSERT_EQ(
      desk.other("POST", "/fapi/v1/order", "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.040").status,
      200);
  frames = desk.read(p1);
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[0].at("e"), "ACCOUNT_UPDATE");
  EXPECT_EQ(frames[0].at("a").at("P")[0].at("pa"), "0.040");
  EXPECT_EQ(frames[0].at("a").at("m"), "ORDER");
  EXPECT_EQ(frames[0].at("a").at("B")[0].at("wb"), "9999.99200000");
  EXPECT_EQ(frames[1].at("e"), "TRADE_LITE");
  EXPECT_EQ(frames[1].at("l"), "0.040");
  const json& order = frames[2].at("o");
  EXPECT_EQ(order.at("x"), "TRADE");
  EXPECT_EQ(order.at("X"), "PARTIALLY_FILLED");
  EXPECT_EQ(order.at("l"), "0.040");
  EXPECT_EQ(order.at("z"), "0.040");
  EXPECT_EQ(order.at("L"), "1000.00");
  EXPECT_EQ(order.at("ap"), "1000.00");
  EXPECT_EQ(order.at("n"), "0.008");
  EXPECT_EQ(order.at("N"), "USDT");
  EXPECT_EQ(order.at("m"), true);
  EXPECT_EQ(order.at("t"), frames[1].at("t"));
  EXPECT_EQ(order.at("c"), "phx-1");
  EXPECT_EQ(order.at("b"), "60");
  EXPECT_EQ(order.at("er"), "0");
}

TEST(UserData, amendments_cancellations_and_settings_are_told) {
  User desk;
  ASSERT_TRUE(desk.open(p1, "/private/ws/" + desk.listen_key));
  desk.ask("POST", "/fapi/v1/order", bid);
  desk.ask("PUT", "/fapi/v1/order",
           "symbol=BTCUSDT&side=BUY&quantity=0.2&price=998&origClientOrderId=phx-1&modifyId=77");
  desk.ask("DELETE", "/fapi/v1/order", "symbol=BTCUSDT&origClientOrderId=phx-1");
  desk.ask("POST", "/fapi/v1/leverage", "symbol=BTCUSDT&leverage=5");
  const auto frames = desk.read(p1);
  ASSERT_EQ(frames.size(), 4U);
  EXPECT_EQ(frames[1].at("o").at("x"), "AMENDMENT");
  EXPECT_EQ(frames[1].at("o").at("M"), 77);
  EXPECT_EQ(frames[1].at("o").at("p"), "998.00");
  EXPECT_EQ(frames[2].at("o").at("X"), "CANCELED");
  EXPECT_EQ(frames[3].at("e"), "ACCOUNT_CONFIG_UPDATE");
  EXPECT_EQ(frames[3].at("ac"), json::parse(R"({"s":"BTCUSDT","l":5})"));
}

TEST(UserData, the_full_wire_text_of_an_order_event_is_the_venues) {
  User desk;
  ASSERT_TRUE(desk.open(p1, "/private/ws/" + desk.listen_key));
  const json placed = json::parse(desk.ask("POST", "/fapi/v1/order", bid).body);
  const std::string expected = fmt::format(
      R"({{"e":"ORDER_TRADE_UPDATE","T":{0},"E":{0},"o":{{"s":"BTCUSDT","c":"phx-1","S":"BUY","o":"LIMIT","f":"GTX",)"
      R"("q":"0.100","p":"1000.00","ap":"0","sp":"0","x":"NEW","X":"NEW","i":{1},"l":"0.000","z":"0.000","L":"0",)"
      R"("T":{0},"t":0,"b":"100","a":"0","m":false,"R":false,"wt":"CONTRACT_PRICE","ot":"LIMIT","ps":"BOTH",)"
      R"("cp":false,"rp":"0","pP":false,"si":0,"ss":0,"V":"EXPIRE_MAKER","pm":"NONE","gtd":0,"er":"0"}}}})",
      start_ms, placed.at("orderId").get<std::int64_t>());
  EXPECT_EQ(desk.read_text(p1), std::vector<std::string>{expected});
}

}  // namespace
}  // namespace phoenix::exchange::protocol_test
