#include "venue/binance/routes.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace phoenix::venue::binance {
namespace {

using model::Product;
using testing::HasSubstr;

TEST(StreamName, spells_what_the_venue_serves) {
  const auto futures = [](const StreamSpec& spec) {
    return stream_name(Product::usdm, "BTCUSDT", spec).value();
  };
  EXPECT_EQ(futures({.kind = StreamKind::depth}), "btcusdt@depth");
  EXPECT_EQ(futures({.kind = StreamKind::depth, .speed_ms = 100}), "btcusdt@depth@100ms");
  EXPECT_EQ(futures({.kind = StreamKind::depth, .speed_ms = 250}), "btcusdt@depth");
  EXPECT_EQ(futures({.kind = StreamKind::depth, .speed_ms = 500}), "btcusdt@depth@500ms");
  EXPECT_EQ(futures({.kind = StreamKind::partial_depth, .speed_ms = 100, .levels = 20}),
            "btcusdt@depth20@100ms");
  EXPECT_EQ(futures({.kind = StreamKind::partial_depth, .levels = 5}), "btcusdt@depth5");
  EXPECT_EQ(futures({.kind = StreamKind::book_ticker}), "btcusdt@bookTicker");
  EXPECT_EQ(futures({.kind = StreamKind::agg_trade}), "btcusdt@aggTrade");
  EXPECT_EQ(futures({.kind = StreamKind::trade}), "btcusdt@trade");
  EXPECT_EQ(futures({.kind = StreamKind::mark_price}), "btcusdt@markPrice");
  EXPECT_EQ(futures({.kind = StreamKind::mark_price, .speed_ms = 1000}), "btcusdt@markPrice@1s");
  EXPECT_EQ(futures({.kind = StreamKind::force_order}), "btcusdt@forceOrder");
  EXPECT_EQ(futures({.kind = StreamKind::kline, .interval = "1m"}), "btcusdt@kline_1m");
  const auto spot = [](const StreamSpec& spec) {
    return stream_name(Product::spot, "BTCUSDT", spec).value();
  };
  EXPECT_EQ(spot({.kind = StreamKind::depth, .speed_ms = 1000}), "btcusdt@depth");
  EXPECT_EQ(spot({.kind = StreamKind::depth, .speed_ms = 100}), "btcusdt@depth@100ms");
  EXPECT_EQ(spot({.kind = StreamKind::kline, .interval = "1s"}), "btcusdt@kline_1s");
}

TEST(StreamName, lowers_ascii_letters_only) {
  EXPECT_EQ(stream_name(Product::usdm, "BTCUSDT_261225", {}).value(), "btcusdt_261225@depth");
  EXPECT_EQ(stream_name(Product::usdm, "测试USDT", {}).value(), "测试usdt@depth");
}

TEST(StreamName, refuses_what_the_venue_would_acknowledge_and_never_send) {
  const auto why = [](Product product, const StreamSpec& spec, std::string_view symbol = "BTCUSDT") {
    const auto name = stream_name(product, symbol, spec);
    return name ? "served as " + *name : name.error();
  };
  EXPECT_EQ(why(Product::usdm, {.kind = StreamKind::partial_depth, .speed_ms = 1000, .levels = 10}),
            "partial depth speed in ms 1000 is not served: use one of 100, 250, 500");
  EXPECT_THAT(why(Product::usdm, {.kind = StreamKind::depth, .speed_ms = 0 - 1}), HasSubstr("is not served"));
  EXPECT_THAT(why(Product::spot, {.kind = StreamKind::depth, .speed_ms = 250}),
              HasSubstr("use one of 100, 1000"));
  EXPECT_THAT(why(Product::usdm, {.kind = StreamKind::partial_depth, .levels = 50}), HasSubstr("5, 10, 20"));
  EXPECT_THAT(why(Product::usdm, {.kind = StreamKind::partial_depth}), HasSubstr("0 levels"));
  EXPECT_THAT(why(Product::usdm, {.kind = StreamKind::depth, .levels = 5}), HasSubstr("partial depth only"));
  EXPECT_THAT(why(Product::usdm, {.kind = StreamKind::kline, .interval = "1s"}),
              HasSubstr("'1s' is not served"));
  EXPECT_THAT(why(Product::usdm, {.kind = StreamKind::kline}), HasSubstr("is not served"));
  EXPECT_THAT(why(Product::usdm, {.kind = StreamKind::depth, .interval = "1m"}), HasSubstr("klines only"));
  EXPECT_THAT(why(Product::usdm, {.kind = StreamKind::book_ticker, .speed_ms = 100}),
              HasSubstr("100 ms belongs"));
  EXPECT_THAT(why(Product::usdm, {.kind = StreamKind::mark_price, .speed_ms = 500}), HasSubstr("1000, 3000"));
  EXPECT_THAT(why(Product::spot, {.kind = StreamKind::mark_price}), HasSubstr("not served for spot"));
  EXPECT_THAT(why(Product::usdm, {}, ""), HasSubstr("needs a symbol"));
  for (const std::string_view symbol : {"BTC/USDT", "BTC USDT", "a@b", "x\"y", "a\nb", "!ticker"}) {
    EXPECT_THAT(why(Product::usdm, {}, symbol), HasSubstr("letters, digits and '_' only"));
  }
}

TEST(Routes, each_futures_stream_has_the_route_that_delivers_it) {
  const auto route = [](StreamKind kind) { return route_of(Product::usdm, kind); };
  for (const auto kind :
       {StreamKind::depth, StreamKind::partial_depth, StreamKind::book_ticker, StreamKind::trade}) {
    EXPECT_EQ(route(kind), Route::public_data);
    EXPECT_EQ(route_of(Product::spot, kind), Route::none);
  }
  for (const auto kind :
       {StreamKind::agg_trade, StreamKind::mark_price, StreamKind::force_order, StreamKind::kline}) {
    EXPECT_EQ(route(kind), Route::market_data);
  }
}

TEST(Routes, targets_carry_route_mode_and_names) {
  const std::vector<std::string> names{"btcusdt@depth@100ms", "测试usdt@bookTicker"};
  EXPECT_EQ(combined_target(Product::usdm, Route::public_data, names),
            "/public/stream?streams=btcusdt@depth@100ms/%E6%B5%8B%E8%AF%95usdt@bookTicker");
  EXPECT_EQ(combined_target(Product::usdm, Route::market_data, {}), "/market/stream");
  EXPECT_EQ(raw_target(Product::usdm, Route::market_data, {}), "/market/ws");
  EXPECT_EQ(raw_target(Product::usdm, Route::public_data, std::span{names}.first(1)),
            "/public/ws/btcusdt@depth@100ms");
  EXPECT_EQ(combined_target(Product::spot, Route::none, std::span{names}.first(1)),
            "/stream?streams=btcusdt@depth@100ms");
  EXPECT_EQ(user_target("abc/../x"), "/private/ws/abc%2F..%2Fx");
}

TEST(Routes, intervals_say_how_often_a_stream_can_come) {
  EXPECT_EQ(stream_interval_ms(Product::usdm, {.kind = StreamKind::depth}), 250);
  EXPECT_EQ(stream_interval_ms(Product::spot, {.kind = StreamKind::depth}), 1000);
  EXPECT_EQ(stream_interval_ms(Product::usdm, {.kind = StreamKind::depth, .speed_ms = 100}), 100);
  EXPECT_EQ(stream_interval_ms(Product::usdm, {.kind = StreamKind::mark_price}), 3000);
  EXPECT_EQ(stream_interval_ms(Product::usdm, {.kind = StreamKind::book_ticker}), 0);
}

TEST(HostAddress, reads_a_url) {
  const auto parse = [](std::string_view url) { return HostAddress::parse(url).value(); };
  using T = HostAddress::Transport;
  EXPECT_EQ(parse("https://fapi.binance.com"), (HostAddress{T::tls, "fapi.binance.com", 443, ""}));
  EXPECT_EQ(parse("wss://FSTREAM.binance.com/"), (HostAddress{T::tls, "fstream.binance.com", 443, ""}));
  EXPECT_EQ(parse("ws://127.0.0.1:8080/ws-fapi/v1"),
            (HostAddress{T::plain, "127.0.0.1", 8080, "/ws-fapi/v1"}));
  EXPECT_EQ(parse("http://localhost"), (HostAddress{T::plain, "localhost", 80, ""}));
  EXPECT_EQ(parse("ws://[::1]:9"), (HostAddress{T::plain, "::1", 9, ""}));
  EXPECT_EQ(parse("ws://[::1]:9/x").text("ws"), "ws://[::1]:9/x");
  EXPECT_EQ(parse("wss://a.b:443/x").text("wss"), "wss://a.b/x");
}

TEST(HostAddress, says_what_is_wrong_with_a_url) {
  const auto why = [](std::string_view url) {
    const auto address = HostAddress::parse(url);
    return address ? std::string{"accepted"} : address.error();
  };
  EXPECT_THAT(why(""), HasSubstr("has to begin with"));
  EXPECT_THAT(why("fapi.binance.com"), HasSubstr("has to begin with"));
  EXPECT_THAT(why("ftp://x"), HasSubstr("has to begin with"));
  EXPECT_THAT(why("https://"), HasSubstr("host is missing"));
  EXPECT_THAT(why("https://:80"), HasSubstr("host is missing"));
  EXPECT_THAT(why("https://x:"), HasSubstr("port is missing"));
  EXPECT_THAT(why("https://x:0"), HasSubstr("1..65535"));
  EXPECT_THAT(why("https://x:65536"), HasSubstr("1..65535"));
  EXPECT_THAT(why("https://x:8a"), HasSubstr("1..65535"));
  EXPECT_THAT(why("https://user@x"), HasSubstr("no host has"));
  EXPECT_THAT(why("https://x/a?b"), HasSubstr("path"));
  EXPECT_THAT(why("ws://[::1"), HasSubstr("not closed"));
  EXPECT_THAT(why("ws://[::1]x"), HasSubstr("between the host and its port"));
}

TEST(LiveHosts, production_and_unknown_hosts_are_live) {
  for (const std::string_view host :
       {"fapi.binance.com", "fstream.binance.com", "ws-fapi.binance.com", "fapi-mm.binance.com",
        "api.binance.com", "FAPI.BINANCE.COM", "fapi.binance.com.", "example.org", "10.0.0.1", "127.evil.com",
        "127.0.0.1.evil.com", "127.0.0", "127.0.0.256", "127.0.0.1.2", "localhost.evil.com", "", "0.0.0.0",
        "demo-fapi.binance.com.evil.org", "testnet.binance.vision.evil"}) {
    EXPECT_TRUE(is_live_host(host)) << host;
  }
}

TEST(LiveHosts, test_hosts_and_this_machine_are_not) {
  for (const std::string_view host :
       {"127.0.0.1", "127.1.2.3", "localhost", "LOCALHOST", "::1", "demo-fapi.binance.com",
        "Demo-Fapi.Binance.com", "demo-fstream.binance.com", "testnet.binancefuture.com",
        "stream.binancefuture.com", "testnet.binance.vision", "ws-api.testnet.binance.vision",
        "testnet.binance.vision."}) {
    EXPECT_FALSE(is_live_host(host)) << host;
  }
}

TEST(LiveHosts, one_live_host_makes_a_set_live) {
  for (const auto product : {Product::usdm, Product::spot}) {
    EXPECT_TRUE(is_live(Hosts::preset(product, Venue::production)));
    EXPECT_FALSE(is_live(Hosts::preset(product, Venue::testnet)));
    const auto local = Hosts::local(product, 8080);
    EXPECT_FALSE(is_live(local));
    auto mixed = local;
    mixed.ws_api = Hosts::preset(product, Venue::production).ws_api;
    EXPECT_TRUE(is_live(mixed));
  }
}

TEST(Hosts, local_serves_everything_on_one_plain_port) {
  const auto hosts = Hosts::local(Product::usdm, 8080);
  EXPECT_EQ(hosts.rest.text("http"), "http://127.0.0.1:8080");
  EXPECT_EQ(hosts.ws_api.text("ws"), "ws://127.0.0.1:8080/ws-fapi/v1");
}

}  // namespace
}  // namespace phoenix::venue::binance
