#pragma once

#include <cstddef>
#include <string_view>

namespace phoenix::base {

/// Well-formed UTF-8 (RFC 3629) checked piece by piece: the first byte that cannot stand where it stands is
/// noticed when it comes, wherever the pieces are cut.
class Utf8Check {
 public:
  /// False from the first impossible byte on; ask no more then.
  bool put(std::string_view piece);
  /// No sequence is open.
  bool is_complete() const { return tail_bytes_ == 0; }

 private:
  int tail_bytes_ = 0;  ///< the open sequence wants so many more, the next of them within these two
  unsigned char low_ = 0x80, high_ = 0xbf;
};

bool is_utf8(std::string_view text);

/// Bytes of the character that `text` begins with; 0: it begins with none.
std::size_t utf8_character_size(std::string_view text);

}  // namespace phoenix::base
