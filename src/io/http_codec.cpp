#include "io/http_codec.hpp"

#include <algorithm>
#include <optional>
#include <variant>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace phoenix::io {
namespace {

namespace http = boost::beast::http;

template <bool is_request>
using Parser = http::parser<is_request, http::string_body>;

std::string lower(std::string_view text) {
  std::string out{text};
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

}  // namespace

class HttpParser::Impl {
 public:
  Impl(HttpKind kind, std::size_t header_bytes_max, std::size_t body_bytes_max)
      : kind_{kind}, header_bytes_max_{header_bytes_max}, body_bytes_max_{body_bytes_max} {
    reset();
  }

  void reset() {
    if (kind_ == HttpKind::request) {
      parser_.emplace<Parser<true>>();
    } else {
      parser_.emplace<Parser<false>>();
    }
    visit([&](auto& parser) {
      parser.eager(true);
      parser.header_limit(static_cast<std::uint32_t>(header_bytes_max_));
      parser.body_limit(body_bytes_max_);
    });
    started = false;
    headers.clear();
    method.clear();
    target.clear();
    fault.clear();
    fault_status = 400;
    upgrade = false;
    status = 0;
  }

  State put(std::string_view input, std::size_t& consumed) {
    consumed = 0;
    boost::system::error_code error;
    visit([&](auto& parser) {
      while (!parser.is_done() && consumed < input.size()) {
        const auto rest = boost::asio::const_buffer{input.data() + consumed, input.size() - consumed};
        const std::size_t used = parser.put(rest, error);
        consumed += used;
        if (error || used == 0) break;
      }
    });
    started = started || consumed != 0 || !input.empty();
    if (error == http::error::need_more) error = {};
    if (error) return refuse(error);
    return finish_if_done();
  }

  State put_end() {
    boost::system::error_code error;
    visit([&](auto& parser) { parser.put_eof(error); });
    if (error) return refuse(error);
    return finish_if_done();
  }

  bool keep_alive() {
    bool keep = false;
    visit([&](auto& parser) { keep = parser.get().keep_alive(); });
    return keep;
  }
  std::string& body() {
    std::string* text = nullptr;
    visit([&](auto& parser) { text = &parser.get().body(); });
    return *text;
  }

  bool started = false;
  bool upgrade = false;
  unsigned status = 0;
  unsigned fault_status = 400;
  std::string method, target, fault;
  Headers headers;

 private:
  template <class F>
  void visit(F f) {
    if (auto* request = std::get_if<Parser<true>>(&parser_)) f(*request);
    if (auto* response = std::get_if<Parser<false>>(&parser_)) f(*response);
  }

  State refuse(const boost::system::error_code& error) {
    fault = error.message();
    if (error == http::error::body_limit) fault_status = 413;
    if (error == http::error::header_limit) fault_status = 431;
    return State::broken;
  }

  State finish_if_done() {
    bool done = false;
    visit([&](auto& parser) { done = parser.is_done(); });
    if (!done) return State::need_more;
    visit([&](auto& parser) {
      for (const auto& field : parser.get()) {
        const std::string_view name{field.name_string().data(), field.name_string().size()};
        headers.emplace_back(lower(name), std::string{field.value().data(), field.value().size()});
      }
      upgrade = parser.upgrade();
    });
    if (const auto* request = std::get_if<Parser<true>>(&parser_)) {
      const auto& message = request->get();
      method.assign(message.method_string().data(), message.method_string().size());
      target.assign(message.target().data(), message.target().size());
    } else if (const auto* response = std::get_if<Parser<false>>(&parser_)) {
      status = response->get().result_int();
    }
    return State::done;
  }

  HttpKind kind_;
  std::size_t header_bytes_max_;
  std::size_t body_bytes_max_;
  std::variant<std::monostate, Parser<true>, Parser<false>> parser_;
};

HttpParser::HttpParser(HttpKind kind, std::size_t header_bytes_max, std::size_t body_bytes_max)
    : impl_{std::make_unique<Impl>(kind, header_bytes_max, body_bytes_max)} {}
HttpParser::~HttpParser() = default;
HttpParser::State HttpParser::put(std::string_view input, std::size_t& consumed) {
  return impl_->put(input, consumed);
}
HttpParser::State HttpParser::put_end() { return impl_->put_end(); }
void HttpParser::reset() { impl_->reset(); }
bool HttpParser::started() const { return impl_->started; }
unsigned HttpParser::status() const { return impl_->status; }
std::string_view HttpParser::method() const { return impl_->method; }
std::string_view HttpParser::target() const { return impl_->target; }
bool HttpParser::keep_alive() const { return impl_->keep_alive(); }
bool HttpParser::upgrade() const { return impl_->upgrade; }
const Headers& HttpParser::headers() const { return impl_->headers; }
std::string& HttpParser::body() { return impl_->body(); }
const std::string& HttpParser::fault() const { return impl_->fault; }
unsigned HttpParser::fault_status() const { return impl_->fault_status; }

std::string_view http_reason(unsigned status) {
  const auto text = http::obsolete_reason(http::int_to_status(status));
  return {text.data(), text.size()};
}

}  // namespace phoenix::io
