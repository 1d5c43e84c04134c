#include "io/notifier.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include <curl/curl.h>
#include <fmt/format.h>

namespace phoenix::io {
namespace {

using ops::AlertChannel;
using ops::ChannelKind;
using ops::DeliveryOutcome;

/// Of an answer, which says in its first line what it has to say; the rest is read and left.
constexpr std::size_t answer_bytes_max = std::size_t{64} << 10;

void prepare_curl() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  PHX_ASSERT(done == CURLE_OK, "libcurl can be initialised");
}

struct EasyDelete {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListDelete {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct MultiDelete {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
using List = std::unique_ptr<curl_slist, ListDelete>;

void append(List& list, const std::string& text) {
  curl_slist* longer = curl_slist_append(list.get(), text.c_str());
  PHX_ASSERT(longer != nullptr, "there is memory for a header");
  static_cast<void>(list.release());
  list.reset(longer);
}

bool is_loopback(const std::string& url) {
  const auto begin = url.find("://");
  if (begin == std::string::npos) return false;
  const auto rest = url.substr(begin + 3);
  const auto is_host = [&](std::string_view host) {
    return rest.starts_with(host) &&
           (rest.size() == host.size() || rest[host.size()] == ':' || rest[host.size()] == '/');
  };
  return is_host("localhost") || is_host("127.0.0.1") || is_host("[::1]");
}

/// ADDRESS of "ADDRESS" and "Name <ADDRESS>", as SMTP wants it.
std::string smtp_address(const std::string& text) {
  const auto open = text.find('<'), close = text.find('>');
  if (open == std::string::npos || close == std::string::npos || close < open) return "<" + text + ">";
  return text.substr(open, close - open + 1);
}

/// One message on its way to one channel.
class Transfer {
 public:
  Transfer(const AlertChannel& channel, const ops::AlertMessage& message, base::LocalTime now,
           std::uint64_t id, base::Duration timeout)
      : channel_{channel}, request_{ops::render(channel, message, now, id)}, easy_{curl_easy_init()} {
    PHX_ASSERT(easy_ != nullptr, "there is memory for a transfer");
    const auto timeout_ms = static_cast<long>(timeout / base::milliseconds{1});
    set(CURLOPT_URL, request_.url.c_str());
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TIMEOUT_MS, timeout_ms);
    set(CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
    set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_ERRORBUFFER, error_.data());
    if (!channel.ca_file.empty()) set(CURLOPT_CAINFO, channel.ca_file.c_str());
    if (is_loopback(request_.url)) set(CURLOPT_PROXY, "");
    set(CURLOPT_WRITEFUNCTION, &Transfer::on_answer);
    set(CURLOPT_WRITEDATA, static_cast<void*>(this));
    if (channel.kind == ChannelKind::email) {
      be_mail();
    } else {
      be_post();
    }
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  CURL* easy() const { return easy_.get(); }

  DeliveryOutcome outcome(CURLcode code) const {
    auto made = channel_.kind == ChannelKind::email ? of_mail(code) : of_post(code);
    made.why = without_secrets(std::move(made.why));
    return made;
  }

 private:
  template <class Value>
  void set(CURLoption option, Value value) {
    const auto done = curl_easy_setopt(easy_.get(), option, value);
    PHX_ASSERT(done == CURLE_OK, "libcurl has every option that is used");
  }

  void be_post() {
    set(CURLOPT_PROTOCOLS_STR, "https,http");
    for (const auto& [key, value] : request_.headers) append(headers_, key + ": " + value);
    append(headers_, "Expect:");
    set(CURLOPT_HTTPHEADER, headers_.get());
    set(CURLOPT_USERAGENT, "phoenix");
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    set(CURLOPT_POSTFIELDS, request_.body.c_str());
    set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  }

  void be_mail() {
    set(CURLOPT_PROTOCOLS_STR, "smtps,smtp");
    // A relay of this machine that wants no login needs none; everything else is encrypted or not sent.
    const bool may_be_plain = is_loopback(request_.url) && channel_.user.empty() && channel_.ca_file.empty();
    set(CURLOPT_USE_SSL, may_be_plain ? long{CURLUSESSL_NONE} : long{CURLUSESSL_ALL});
    if (!channel_.user.empty()) {
      set(CURLOPT_USERNAME, channel_.user.c_str());
      set(CURLOPT_PASSWORD, channel_.password.c_str());
    }
    from_ = smtp_address(channel_.from);
    set(CURLOPT_MAIL_FROM, from_.c_str());
    for (const auto& to : channel_.to) append(recipients_, smtp_address(to));
    set(CURLOPT_MAIL_RCPT, recipients_.get());
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_READFUNCTION, &Transfer::on_read);
    set(CURLOPT_READDATA, static_cast<void*>(this));
    set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
  }

  static std::size_t on_answer(char* bytes, std::size_t, std::size_t count, void* self) {
    auto& answer = static_cast<Transfer*>(self)->answer_;
    answer.append(bytes, std::min(count, answer_bytes_max - std::min(answer_bytes_max, answer.size())));
    return count;
  }
  static std::size_t on_header(char* bytes, std::size_t, std::size_t count, void* self) {
    constexpr std::string_view name = "retry-after:";
    std::string line{bytes, count};
    std::transform(line.begin(), line.end(), line.begin(),
                   [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
    if (line.starts_with(name)) {
      const auto first = line.find_first_not_of(" \t", name.size());
      const auto last = line.find_last_not_of(" \t\r\n");
      if (first != std::string::npos && last != std::string::npos && first <= last)
        static_cast<Transfer*>(self)->retry_after_ = line.substr(first, last - first + 1);
    }
    return count;
  }
  static std::size_t on_read(char* to, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    const auto& body = transfer.request_.body;
    const auto taken = std::min(size * count, body.size() - transfer.read_);
    std::memcpy(to, body.data() + transfer.read_, taken);
    transfer.read_ += taken;
    return taken;
  }

  std::string fault_text(CURLcode code) const {
    return error_[0] != '\0' ? std::string{error_.data()} : std::string{curl_easy_strerror(code)};
  }
  long response_code() const {
    long code = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &code);
    return code;
  }
  DeliveryOutcome of_post(CURLcode code) const {
    if (code != CURLE_OK) return {DeliveryOutcome::Kind::later, fault_text(code), {}};
    return ops::judge_answer(channel_.kind, static_cast<int>(response_code()), answer_, retry_after_);
  }
  DeliveryOutcome of_mail(CURLcode code) const {
    if (code == CURLE_OK) return {};
    const bool is_final = code == CURLE_LOGIN_DENIED || (response_code() >= 500 && response_code() < 600);
    return {is_final ? DeliveryOutcome::Kind::refused : DeliveryOutcome::Kind::later, fault_text(code), {}};
  }

  /// An address may hold a key, and whoever answers may repeat what it was sent.
  std::string without_secrets(std::string text) const {
    for (const auto* secret : {&channel_.url, &channel_.secret, &channel_.token, &channel_.password}) {
      if (secret->size() < 4 || (secret == &channel_.url && channel_.kind == ChannelKind::email)) continue;
      for (auto at = text.find(*secret); at != std::string::npos; at = text.find(*secret, at))
        text.replace(at, secret->size(), "***");
    }
    return text;
  }

  const AlertChannel& channel_;
  ops::ChannelRequest request_;
  std::unique_ptr<CURL, EasyDelete> easy_;
  List headers_, recipients_;
  std::string from_, answer_, retry_after_;
  std::size_t read_ = 0;
  std::array<char, CURL_ERROR_SIZE> error_{};
};

ops::DeliveryOptions delivery_options(const NotifierOptions& options) {
  ops::DeliveryOptions made;
  for (const auto& channel : options.channels) made.channels.push_back(channel.name);
  made.copies = options.copies;
  made.backoff_min = options.backoff_min;
  return made;
}

}  // namespace

class Notifier::Impl {
 public:
  Impl(const RealClock& clock, NotifierOptions options, Log log)
      : clock_{clock},
        options_{std::move(options)},
        log_{std::move(log)},
        delivery_{delivery_options(options_)},
        status_{.channels = delivery_.channels()} {
    prepare_curl();
    multi_.reset(curl_multi_init());
    PHX_ASSERT(multi_ != nullptr, "there is memory for transfers");
    thread_ = std::thread{[this] { work(); }};
  }
  ~Impl() {
    leaving_.store(true, std::memory_order_release);
    curl_multi_wakeup(multi_.get());
    thread_.join();
    for (const auto& [easy, flight] : flights_) curl_multi_remove_handle(multi_.get(), easy);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void post(ops::AlertMessage message) {
    {
      const std::scoped_lock lock{mutex_};
      if (inbox_.size() >= inbox_max) {
        ++inbox_lost_;
        return;
      }
      inbox_.push_back(std::move(message));
    }
    curl_multi_wakeup(multi_.get());
  }
  NotifierStatus status() const {
    const std::scoped_lock lock{mutex_};
    auto status = status_;
    status.waiting += inbox_.size();
    status.lost += inbox_lost_;
    return status;
  }

 private:
  struct Flight {
    std::uint64_t id = 0;
    std::size_t channel = 0;
    std::unique_ptr<Transfer> transfer;
  };

  void work() {
    std::optional<base::LocalTime> latest;
    for (;;) {
      const auto now = clock_.now();
      take_inbox(now);
      delivery_.expire(now, acts_);
      perform_acts(now);
      int running = 0;
      curl_multi_perform(multi_.get(), &running);
      take_results();
      publish();
      if (leaving_.load(std::memory_order_acquire)) {
        if (!latest) latest = now + options_.farewell;
        if (now >= *latest || status().waiting == 0) return;
      }
      const auto wait = wait_time(latest);
      curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(wait / base::milliseconds{1}), nullptr);
    }
  }
  base::Duration wait_time(std::optional<base::LocalTime> latest) const {
    base::Duration wait = base::seconds{1};
    const auto now = clock_.now();
    for (const auto& deadline : {delivery_.next_deadline(), latest}) {
      if (deadline) wait = std::min(wait, std::max<base::Duration>(*deadline - now, base::milliseconds{1}));
    }
    return wait;
  }
  void take_inbox(base::LocalTime now) {
    std::vector<ops::AlertMessage> taken;
    {
      const std::scoped_lock lock{mutex_};
      taken.swap(inbox_);
      status_.waiting += taken.size();  // of neither place while it is on its way
    }
    for (auto& message : taken) delivery_.post(std::move(message), now, acts_);
  }
  void perform_acts(base::LocalTime now) {
    for (auto& act : std::exchange(acts_, {})) {
      if (const auto* note = std::get_if<ops::DeliveryNote>(&act)) {
        log_(note->tone, note->text);
        continue;
      }
      auto& send = std::get<ops::SendAlert>(act);
      auto transfer = std::make_unique<Transfer>(options_.channels[send.channel], send.message, now, send.id,
                                                 options_.timeout);
      CURL* easy = transfer->easy();
      curl_multi_add_handle(multi_.get(), easy);
      flights_.emplace(easy, Flight{send.id, send.channel, std::move(transfer)});
    }
  }
  void take_results() {
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* easy = message->easy_handle;
      const auto code = message->data.result;
      const auto it = flights_.find(easy);
      PHX_ASSERT(it != flights_.end(), "a transfer that ends was begun here");
      const Flight flight = std::move(it->second);
      flights_.erase(it);
      const auto outcome = flight.transfer->outcome(code);
      curl_multi_remove_handle(multi_.get(), easy);
      delivery_.answered(flight.id, flight.channel, outcome, clock_.now(), acts_);
    }
    perform_acts(clock_.now());
  }
  void publish() {
    const std::scoped_lock lock{mutex_};
    status_ = {delivery_.channels(), delivery_.waiting(), delivery_.dropped()};
  }

  const RealClock& clock_;
  const NotifierOptions options_;
  Log log_;
  ops::AlertDelivery delivery_;  ///< the thread's, as all that follows up to the mutex
  std::vector<ops::DeliveryAct> acts_;
  std::unique_ptr<CURLM, MultiDelete> multi_;
  std::map<CURL*, Flight> flights_;
  mutable std::mutex mutex_;
  std::vector<ops::AlertMessage> inbox_;
  NotifierStatus status_;
  std::uint64_t inbox_lost_ = 0;
  std::atomic<bool> leaving_{false};
  std::thread thread_;
};

Notifier::Notifier(const RealClock& clock, NotifierOptions options, Log log)
    : impl_{std::make_unique<Impl>(clock, std::move(options), std::move(log))} {}
Notifier::~Notifier() = default;
void Notifier::post(ops::AlertMessage message) { impl_->post(std::move(message)); }
NotifierStatus Notifier::status() const { return impl_->status(); }

DeliveryOutcome send_alert(const AlertChannel& channel, const ops::AlertMessage& message, base::LocalTime now,
                           base::Duration timeout) {
  prepare_curl();
  const Transfer transfer{channel, message, now, 0, timeout};
  return transfer.outcome(curl_easy_perform(transfer.easy()));
}

}  // namespace phoenix::io
