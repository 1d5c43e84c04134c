#include "io/ws_codec.hpp"

#include "base/rng.hpp"

#include <gtest/gtest.h>

namespace phoenix::io {
namespace {

using Kind = WsDecoder::Kind;

struct Seen {
  Kind kind = Kind::need_more;
  std::string payload;
  std::uint16_t code = 0;
  friend bool operator==(const Seen&, const Seen&) = default;
};

/// Feeds `bytes` in pieces of `piece` bytes, as a socket would bring them.
std::vector<Seen> decode(WsDecoder& decoder, std::string_view bytes, std::size_t piece) {
  std::vector<Seen> seen;
  std::string buffer;
  while (!bytes.empty()) {
    buffer += bytes.substr(0, piece);
    bytes.remove_prefix(std::min(piece, bytes.size()));
    for (;;) {
      std::size_t consumed = 0;
      const auto event = decoder.next({buffer.data(), buffer.size()}, consumed);
      if (event.kind != Kind::need_more) seen.push_back({event.kind, std::string{event.payload}, event.code});
      buffer.erase(0, consumed);
      if (event.kind == Kind::broken || event.kind == Kind::close) return seen;
      if (event.kind == Kind::need_more) break;
    }
  }
  return seen;
}

std::string frame(unsigned first, std::string_view payload) {
  std::string out;
  out += static_cast<char>(first);
  if (payload.size() < 126) {
    out += static_cast<char>(payload.size());
  } else {
    out += static_cast<char>(126);
    out += static_cast<char>(payload.size() >> 8);
    out += static_cast<char>(payload.size() & 0xff);
  }
  return out += payload;
}

Seen first_event(std::string_view bytes, std::size_t max = 1 << 20) {
  WsDecoder decoder{WsRole::client, max};
  const auto seen = decode(decoder, bytes, bytes.size());
  return seen.empty() ? Seen{} : seen.front();
}

TEST(WsDecoder, one_byte_at_a_time_gives_the_same_events_as_all_at_once) {
  OutBuffer out;
  const std::string large(70'000, 'l');
  append_frame(out, WsOpcode::text, "hello");
  append_frame(out, WsOpcode::ping, "p");
  append_frame(out, WsOpcode::text, std::string(300, 'm'));
  append_frame(out, WsOpcode::text, large);
  append_frame(out, WsOpcode::text, "");
  std::string bytes{out.view()};
  bytes += frame(0x01, "frag") + frame(0x89, "mid") + frame(0x00, "men") + frame(0x80, "ted");
  bytes += frame(0x88, close_payload(1001, "bye"));
  std::vector<std::vector<Seen>> results;
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{1000}, bytes.size()}) {
    WsDecoder decoder{WsRole::client, 1 << 20};
    results.push_back(decode(decoder, bytes, piece));
  }
  const std::vector<Seen> expected{
      {Kind::text, "hello", 0},      {Kind::ping, "p", 0},      {Kind::text, std::string(300, 'm'), 0},
      {Kind::text, large, 0},        {Kind::text, "", 0},       {Kind::ping, "mid", 0},
      {Kind::text, "fragmented", 0}, {Kind::close, "bye", 1001}};
  for (const auto& result : results) EXPECT_EQ(result, expected);
}

TEST(WsDecoder, a_server_unmasks_what_a_client_masked) {
  OutBuffer out;
  append_frame(out, WsOpcode::text, "subscribe to everything", 0x12345678u);
  WsDecoder decoder{WsRole::server, 1024};
  EXPECT_EQ(out.view().find("subscribe"), std::string_view::npos);
  EXPECT_EQ(decode(decoder, out.view(), 3).front().payload, "subscribe to everything");
}

TEST(WsDecoder, breaking_the_protocol_is_answered_with_the_right_code) {
  EXPECT_EQ(first_event(frame(0x91, "x")).code, 1002) << "reserved bit";
  EXPECT_EQ(first_event(frame(0xc1, "x")).code, 1002) << "compressed without agreement";
  EXPECT_EQ(first_event(frame(0x83, "x")).code, 1002) << "unknown data opcode";
  EXPECT_EQ(first_event(frame(0x8b, "x")).code, 1002) << "unknown control opcode";
  EXPECT_EQ(first_event(frame(0x09, "x")).code, 1002) << "fragmented ping";
  EXPECT_EQ(first_event(frame(0x89, std::string(126, 'x'))).code, 1002) << "long ping";
  EXPECT_EQ(first_event(frame(0x80, "x")).code, 1002) << "continuation of nothing";
  EXPECT_EQ(first_event(frame(0x01, "x") + frame(0x81, "y")).code, 1002) << "message in a message";
  EXPECT_EQ(first_event(frame(0x82, "x")).code, 1003) << "binary";
  EXPECT_EQ(first_event(frame(0x81, "\xff")).code, 1007) << "not UTF-8";
  EXPECT_EQ(first_event(frame(0x88, "x")).code, 1002) << "half a close code";
  EXPECT_EQ(first_event(frame(0x88, close_payload(1005, ""))).code, 1002) << "code that may not be sent";
  EXPECT_EQ(first_event(frame(0x88, close_payload(1000, "\xff"))).code, 1007) << "reason not UTF-8";
  EXPECT_EQ(first_event(std::string("\x81\x7e\x00\x01x", 5)).code, 1002) << "length too wide";
  EXPECT_EQ(first_event(std::string("\x81\x81\x00\x00\x00\x00x", 7)).code, 1002) << "masked by a server";
  WsDecoder server{WsRole::server, 1024};
  EXPECT_EQ(decode(server, frame(0x81, "x"), 1).front().code, 1002) << "not masked by a client";
}

TEST(WsDecoder, binary_messages_come_through_only_where_they_are_wanted) {
  WsDecoder decoder{WsRole::client, 1024, {.binary = WsBinary::accept}};
  const auto seen = decode(
      decoder, frame(0x82, "\xff\xfe") + frame(0x02, "\x80") + frame(0x80, "\x81") + frame(0x81, "t"), 1);
  EXPECT_EQ(seen, (std::vector<Seen>{
                      {Kind::binary, "\xff\xfe", 0}, {Kind::binary, "\x80\x81", 0}, {Kind::text, "t", 0}}));
}

TEST(WsDecoder, broken_text_is_refused_before_its_frame_is_whole) {
  const auto without_end = [](unsigned first, std::string_view payload) {
    return frame(first, std::string{payload} + std::string(60, 'x')).substr(0, 2 + payload.size());
  };
  EXPECT_EQ(first_event(without_end(0x81, "good so far \xe2\x82")).kind, Kind::need_more);
  EXPECT_EQ(first_event(without_end(0x81, "good so far \xed\xa0")).code, 1007);
  EXPECT_EQ(first_event(frame(0x01, "a\xf4") + without_end(0x80, "\x90")).code, 1007) << "across frames";
  EXPECT_EQ(first_event(frame(0x01, "a\xf4") + frame(0x00, "\x90")).code, 1007)
      << "in a frame that is not the last";
  EXPECT_EQ(first_event(frame(0x01, "a\xe2") + frame(0x80, "\x82")).code, 1007) << "ends inside a character";
}

TEST(WsDecoder, text_cut_anywhere_is_the_text) {
  const std::string text =
      "\xce\xba\xe1\xbd\xb9 \xf0\x9f\x98\x80 " + std::string(50, 'a') + "\xf4\x8f\xbf\xbf";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const std::string bytes =
        frame(0x01, text.substr(0, cut)) + frame(0x80, text.substr(cut)) + frame(0x81, text);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, bytes.size()}) {
      WsDecoder decoder{WsRole::client, 1024};
      ASSERT_EQ(decode(decoder, bytes, piece),
                (std::vector<Seen>{{Kind::text, text, 0}, {Kind::text, text, 0}}))
          << cut << " " << piece;
    }
  }
}

TEST(WsDecoder, a_length_beyond_the_bound_is_refused_when_its_header_is_seen) {
  EXPECT_EQ(first_event(std::string("\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10)).code, 1009);
  EXPECT_EQ(first_event(std::string("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10)).code, 1009);
  EXPECT_EQ(first_event(frame(0x81, std::string(100, 'x')), 100).kind, Kind::text);
  EXPECT_EQ(first_event(frame(0x81, std::string(101, 'x')).substr(0, 2), 100).code, 1009);
  EXPECT_EQ(first_event(frame(0x01, std::string(60, 'x')) + frame(0x80, std::string(41, 'x')), 100).code,
            1009);
}

TEST(WsDecoder, a_close_without_a_code_is_1005) {
  EXPECT_EQ(first_event(frame(0x88, "")), (Seen{Kind::close, "", 1005}));
}

TEST(WsCodec, the_accept_key_is_the_one_of_the_rfc) {
  EXPECT_EQ(ws_accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(WsCodec, any_legal_answer_to_the_deflate_offer_is_taken) {
  EXPECT_FALSE(read_deflate_answer("", true)->has_value());
  for (const char* answer : {"permessage-deflate", "permessage-deflate; server_max_window_bits=15",
                             "permessage-deflate; client_max_window_bits=15; client_no_context_takeover",
                             "permessage-deflate;server_max_window_bits=\"12\""}) {
    const auto terms = read_deflate_answer(answer, true);
    ASSERT_TRUE(terms && *terms) << answer;
    EXPECT_FALSE((*terms)->reset_inbound);
  }
  EXPECT_TRUE((*read_deflate_answer("permessage-deflate; server_no_context_takeover", true))->reset_inbound);
}

TEST(WsCodec, an_impossible_answer_to_the_deflate_offer_is_refused) {
  EXPECT_FALSE(read_deflate_answer("permessage-deflate", false));
  for (const char* answer :
       {"x-webkit-deflate-frame", "permessage-deflate; unheard_of",
        "permessage-deflate; server_max_window_bits=16", "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover=1", "permessage-deflate, permessage-deflate",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover"}) {
    EXPECT_FALSE(read_deflate_answer(answer, true)) << answer;
  }
}

TEST(WsCodec, the_server_takes_the_first_offer_it_can_keep) {
  EXPECT_FALSE(grant_deflate("", false, false));
  EXPECT_FALSE(grant_deflate("permessage-deflate; unheard_of", false, false));
  EXPECT_EQ(grant_deflate(deflate_offer(), false, false)->answer, "permessage-deflate");
  EXPECT_EQ(grant_deflate(deflate_offer(), true, true)->answer,
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=15");
  EXPECT_EQ(grant_deflate(
                "permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=10",
                false, false)
                ->answer,
            "permessage-deflate; server_max_window_bits=10");
}

TEST(WsCodec, what_is_deflated_inflates_to_the_same_in_any_fragmentation) {
  for (const bool reset : {false, true}) {
    base::Rng rng{reset ? 7u : 8u};
    const DeflateTerms terms{.reset_inbound = reset, .reset_outbound = reset};
    WsDeflater deflater{terms};
    WsDecoder decoder{WsRole::client, 1 << 20};
    decoder.use_deflate(terms);
    for (int i = 0; i < 200; ++i) {
      std::string text;
      const auto size = rng.below(i % 10 == 0 ? 60'000 : 2000);
      for (std::uint64_t k = 0; k < size; ++k) text += static_cast<char>('0' + rng.below(12));
      const std::string packed{deflater.compress(text)};
      const auto cut = static_cast<std::size_t>(rng.below(packed.size() + 1));
      OutBuffer out;
      std::string bytes;
      if (cut < 60'000 && packed.size() - cut < 60'000) {
        bytes = frame(0x41, packed.substr(0, cut)) + frame(0x80, packed.substr(cut));
      } else {
        append_frame(out, WsOpcode::text, packed, {}, WsCompressed::yes);
        bytes = out.view();
      }
      const auto seen = decode(decoder, bytes, 1 + static_cast<std::size_t>(rng.below(5000)));
      ASSERT_EQ(seen, (std::vector<Seen>{{Kind::text, text, 0}}));
    }
  }
}

TEST(WsDecoder, an_inflated_message_is_bounded_in_size_and_in_ratio) {
  const DeflateTerms terms;
  const auto judge = [&](std::size_t size, std::size_t max) {
    WsDeflater deflater{terms};
    WsDecoder decoder{WsRole::client, max};
    decoder.use_deflate(terms);
    OutBuffer out;
    append_frame(out, WsOpcode::text, deflater.compress(std::string(size, 'a')), {}, WsCompressed::yes);
    return decode(decoder, out.view(), 1 << 20).front();
  };
  EXPECT_EQ(judge(60'000, 1 << 20).payload.size(), 60'000u) << "small messages may repeat themselves";
  EXPECT_EQ(judge(60'000, 60'000).kind, Kind::text) << "the bound itself is allowed";
  EXPECT_EQ(judge(60'001, 60'000).code, 1009);
  EXPECT_EQ(judge(4 << 20, 8 << 20).code, 1009) << "a thousandfold is a bomb";
}

TEST(WsDecoder, corrupt_compression_is_refused) {
  WsDecoder decoder{WsRole::client, 1 << 20};
  decoder.use_deflate({});
  EXPECT_EQ(decode(decoder, frame(0xc1, "\xff\xff\xff\xff"), 100).front().code, 1007);
}

TEST(WsDecoder, any_bytes_give_events_and_never_harm) {
  base::Rng rng{42};
  for (int round = 0; round < 3000; ++round) {
    WsDecoder decoder{round % 2 == 0 ? WsRole::client : WsRole::server, 4096};
    if (round % 3 == 0) decoder.use_deflate({});
    std::string bytes;
    const auto size = 1 + rng.below(200);
    for (std::uint64_t i = 0; i < size; ++i) bytes += static_cast<char>(rng.below(256));
    bytes[0] = static_cast<char>(0x81 | (rng.below(2) << 6));
    decode(decoder, bytes, 1 + static_cast<std::size_t>(rng.below(50)));
  }
}

TEST(OutBuffer, consuming_and_appending_keep_the_order) {
  base::Rng rng{3};
  OutBuffer buffer;
  std::string model;
  for (int i = 0; i < 2000; ++i) {
    const std::string piece(static_cast<std::size_t>(rng.below(3000)), static_cast<char>('a' + i % 26));
    buffer.append(piece);
    model += piece;
    const auto taken = static_cast<std::size_t>(rng.below(model.size() + 1));
    buffer.consume(taken);
    model.erase(0, taken);
    ASSERT_EQ(buffer.view(), model);
  }
}

TEST(CloseFrame, a_long_reason_is_cut_between_characters) {
  std::string reason(122, 'x');
  reason += "\xe2\x82\xac";
  EXPECT_EQ(close_payload(1000, reason).size(), 2u + 122u);
}

}  // namespace
}  // namespace phoenix::io
