#pragma once

#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>

namespace phoenix::io {

/// Bytes that must not leave this process: an API secret, a private key. They lie in memory of their own,
/// locked against swapping, left out of core files, between pages nobody may touch, and are wiped when they
/// go: OpenSSL's secure heap, in which it keeps its own private keys as well. Move-only.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view text) : Secret{{text}} {}
  /// The parts one after the other. Throws std::bad_alloc when that memory is used up.
  explicit Secret(std::initializer_list<std::string_view> parts);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {data_, size_}; }
  /// Ends with a zero, as what wants a C string needs it. Null when empty.
  char* c_str() { return data_; }

 private:
  friend Secret read_secret_file(const std::filesystem::path& path, std::string_view what);

  char* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Why secrets are not kept out of swap and core files, and what helps; empty when they are.
std::string secret_memory_trouble();

/// The whole of a file that holds a secret: a regular file of mode 0600, owned by us, no symlink. What lies
/// in $CREDENTIALS_DIRECTORY may also belong to root, and its group may read it. `what` it is, for the
/// FileError.
Secret read_secret_file(const std::filesystem::path& path, std::string_view what);

/// Moves a variable out of the environment: what was there is overwritten, also for who looks at the process
/// from outside. Empty when it is not set. Before other threads are there.
Secret take_from_environment(const char* name);

/// Leaves no core file of this process, and lets nobody but root read its memory or attach to it. A program
/// it starts begins without the second of these.
void seal_process();

/// Twice as many hexadecimal digits, from the system's generator.
std::string random_hex(std::size_t bytes);

}  // namespace phoenix::io
