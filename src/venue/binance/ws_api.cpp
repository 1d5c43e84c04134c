#include "venue/binance/ws_api.hpp"

#include "venue/binance/classify.hpp"
#include "venue/binance/json_reader.hpp"
#include "venue/binance/order_text.hpp"
#include "venue/binance/rate_limit_row.hpp"
#include "venue/binance/rest_answers.hpp"

#include <charconv>

namespace phoenix::venue::binance {
namespace {

using Value = JsonReader::Value;

void read_id(JsonReader& json, Value value, WsReply& reply) {
  if (json.is_null(value)) return;
  if (!json.is_text(value)) {
    const auto number = json.integer(value);
    if (number >= 0) reply.id = model::RequestId{static_cast<std::uint64_t>(number)};
    return;
  }
  const auto text = json.text(value);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size())
    reply.id = model::RequestId{number};
  else
    reply.text_id = cut_text<36>(text);
}

void read_error(JsonReader& json, Value value, WsReply& reply) {
  json.members(value, [&](std::string_view key, Value member) {
    if (key == "code") {
      reply.code = json.small_integer(member);
    } else if (key == "msg") {
      const auto text = json.text(member);
      reply.message = cut_text<120>(text);
      if (const auto end = ban_end(text); end && !reply.retry_at) reply.retry_at = end;
    } else if (key == "data" && json.is_object(member)) {
      json.members(member, [&](std::string_view k, Value v) {
        if (k == "retryAfter") reply.retry_at = json.time(v);
      });
    }
  });
}

void read_limits(JsonReader& json, Value value, WsReply& reply) {
  json.elements(value, [&](Value element) {
    const auto row = read_rate_limit(json, element);
    if (!row || reply.limits.full()) return;
    reply.limits.push_back(row->limit);
    if (row->count) reply.usage.push_back({row->limit.kind, row->limit.interval, *row->count});
  });
}

}  // namespace

struct WsApiDecoder::Parser {
  JsonReader json;
};

WsApiDecoder::WsApiDecoder(model::Product product, const model::SymbolTable& symbols)
    : product_{product}, symbols_{symbols}, parser_{std::make_unique<Parser>()} {}
WsApiDecoder::~WsApiDecoder() = default;
WsApiDecoder::WsApiDecoder(WsApiDecoder&&) noexcept = default;

base::Result<WsReply, DecodeFault> WsApiDecoder::decode(std::string_view frame) {
  JsonReader& json = parser_->json;
  WsReply reply;
  std::optional<int> status;
  json.read_object(frame, [&](std::string_view key, Value value) {
    if (key == "id")
      read_id(json, value, reply);
    else if (key == "status")
      status = json.small_integer(value);
    else if (key == "error" && json.is_object(value))
      read_error(json, value, reply);
    else if (key == "rateLimits" && json.is_array(value))
      read_limits(json, value, reply);
    else if (key == "result" && json.is_object(value)) {
      OrderRow row;
      json.members(value, [&](std::string_view k, Value v) { row.member(json, k, v, symbols_); });
      model::OrderReport report;
      const bool whole = row.is_order() && row.finish(json, report) == RowOwner::ours && json.ok();
      // A result that is no whole order of ours leaves the reply standing: its id and status count.
      if (whole || json.recover()) reply.report = whole ? std::optional{report} : std::nullopt;
    }
  });
  reply.status = json.require(status);
  if (const auto fault = json.fault()) return base::fail(*fault);
  return reply;
}

model::OrderAnswer WsApiDecoder::order_answer(const WsReply& reply, RequestKind kind) const {
  const auto verdict = classify(product_, reply.status, reply.code, reply.message.view(), kind);
  model::OrderAnswer answer;
  answer.outcome = verdict.outcome;
  answer.refusal = verdict.refusal;
  answer.code = reply.code;
  answer.message = reply.message;
  if (verdict.outcome == model::Outcome::accepted && kind != RequestKind::cancel_all) {
    answer.report = reply.report;
    if (!reply.report) answer.outcome = model::Outcome::unknown;
  }
  return answer;
}

}  // namespace phoenix::venue::binance
