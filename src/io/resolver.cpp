#include "io/resolver.hpp"

#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>

namespace phoenix::io {
namespace {

constexpr std::size_t addresses_max = 16;

std::string key_of(const std::string& host, std::uint16_t port) { return fmt::format("{}:{}", host, port); }

Resolved look_up(const std::string& host, std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  const std::string service = std::to_string(port);
  const int rc = ::getaddrinfo(host.c_str(), service.c_str(), &hints, &found);
  Resolved resolved;
  if (rc != 0) {
    resolved.error = ::gai_strerror(rc);
    return resolved;
  }
  for (const addrinfo* it = found; it != nullptr && resolved.addresses.size() < addresses_max;
       it = it->ai_next) {
    if (it->ai_addrlen > sizeof(sockaddr_storage)) continue;
    SocketAddress address;
    std::memcpy(&address.storage, it->ai_addr, it->ai_addrlen);
    address.size = it->ai_addrlen;
    resolved.addresses.push_back(address);
  }
  ::freeaddrinfo(found);
  return resolved;
}

}  // namespace

std::string SocketAddress::text() const {
  char host[NI_MAXHOST] = {};
  char port[NI_MAXSERV] = {};
  // sockaddr is what every address family is passed as.
  const auto* address = static_cast<const sockaddr*>(static_cast<const void*>(&storage));
  if (::getnameinfo(address, size, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) !=
      0) {
    return "unknown";
  }
  return storage.ss_family == AF_INET6 ? fmt::format("[{}]:{}", host, port)
                                       : fmt::format("{}:{}", host, port);
}

/// Outlives the Resolver while its thread sits in getaddrinfo: stopping must not wait for a name server.
struct Resolver::Shared {
  struct Question {
    Ticket ticket;
    std::string host;
    std::uint16_t port;
  };
  std::mutex mutex;
  std::condition_variable asked;
  std::deque<Question> questions;
  std::vector<std::pair<Ticket, Resolved>> answers;
  Reactor* reactor = nullptr;  ///< null once the Resolver is gone
};

Resolver::Resolver(Reactor& reactor) : shared_{std::make_shared<Shared>()} { shared_->reactor = &reactor; }

Resolver::~Resolver() {
  const std::scoped_lock lock{shared_->mutex};
  shared_->reactor = nullptr;
  shared_->asked.notify_all();
}

Resolver::Ticket Resolver::resolve(const std::string& host, std::uint16_t port, Callback callback) {
  const Ticket ticket = next_ticket_++;
  waiting_.emplace(ticket, Waiting{key_of(host, port), std::move(callback)});
  // An address needs no name server, and should not queue behind one that is slow.
  Resolved numeric = look_up(host, port, AI_NUMERICHOST | AI_NUMERICSERV);
  const std::scoped_lock lock{shared_->mutex};
  if (!numeric.addresses.empty()) {
    shared_->answers.emplace_back(ticket, std::move(numeric));
    return ticket;
  }
  shared_->questions.push_back({ticket, host, port});
  shared_->asked.notify_one();
  if (!running_) {
    std::thread{[shared = shared_] { serve(shared); }}.detach();
    running_ = true;
  }
  return ticket;
}

void Resolver::cancel(Ticket ticket) {
  waiting_.erase(ticket);
  const std::scoped_lock lock{shared_->mutex};
  std::erase_if(shared_->questions, [&](const auto& question) { return question.ticket == ticket; });
}

std::vector<SocketAddress> Resolver::last_good(const std::string& host, std::uint16_t port) const {
  const auto it = good_.find(key_of(host, port));
  return it == good_.end() ? std::vector<SocketAddress>{} : it->second;
}

bool Resolver::has_answers() const {
  if (waiting_.empty()) return false;
  const std::scoped_lock lock{shared_->mutex};
  return !shared_->answers.empty();
}

void Resolver::deliver() {
  if (!has_answers()) return;
  std::vector<std::pair<Ticket, Resolved>> answers;
  {
    const std::scoped_lock lock{shared_->mutex};
    answers.swap(shared_->answers);
  }
  for (auto& [ticket, resolved] : answers) {
    const auto it = waiting_.find(ticket);
    if (it == waiting_.end()) continue;
    Waiting waiting = std::move(it->second);
    waiting_.erase(it);
    if (!resolved.addresses.empty()) good_[waiting.key] = resolved.addresses;
    waiting.callback(std::move(resolved));
  }
}

void Resolver::serve(const std::shared_ptr<Shared>& shared) {
  std::unique_lock lock{shared->mutex};
  for (;;) {
    shared->asked.wait(lock, [&] { return shared->reactor == nullptr || !shared->questions.empty(); });
    if (shared->reactor == nullptr) return;
    const Shared::Question question = std::move(shared->questions.front());
    shared->questions.pop_front();
    lock.unlock();
    Resolved resolved = look_up(question.host, question.port, AI_ADDRCONFIG | AI_NUMERICSERV);
    lock.lock();
    if (shared->reactor == nullptr) return;
    shared->answers.emplace_back(question.ticket, std::move(resolved));
    shared->reactor->wake();
  }
}

}  // namespace phoenix::io
