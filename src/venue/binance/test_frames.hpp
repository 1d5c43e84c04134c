#pragma once

// Reads the recordings that tests, fuzzers and benchmarks decode.

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <zstd.h>

namespace phoenix::venue::binance::test {

/// The whole file, unpacked when its name ends in .zst. Empty when it cannot be read.
inline std::string file_text(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  std::string packed{std::istreambuf_iterator<char>{file}, {}};
  if (path.extension() != ".zst") return packed;
  const std::unique_ptr<ZSTD_DStream, decltype(&ZSTD_freeDStream)> stream{ZSTD_createDStream(),
                                                                          &ZSTD_freeDStream};
  std::string text;
  std::array<char, 65'536> chunk;
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  while (in.pos < in.size) {
    ZSTD_outBuffer out{chunk.data(), chunk.size(), 0};
    if (ZSTD_isError(ZSTD_decompressStream(stream.get(), &out, &in)) != 0) return {};
    text.append(chunk.data(), out.pos);
  }
  return text;
}

/// What stands before the frame on each line of a recording.
enum class LineForm {
  bare,            ///< nothing
  time_space,      ///< "time frame"
  time_colon,      ///< "time: frame", other lines are comments
  address_answer,  ///< "address -> time: body"
};

/// Frames as views into `text`.
inline std::vector<std::string_view> frames_of(std::string_view text, LineForm form) {
  std::vector<std::string_view> frames;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::string_view mark = form == LineForm::bare ? "" : form == LineForm::time_space ? " " : ": ";
    const auto at = line.find(mark);
    if (at == std::string_view::npos || (form == LineForm::time_colon && line.starts_with("wss:"))) continue;
    line.remove_prefix(at + mark.size());
    if (!line.empty() && (line[0] == '{' || line[0] == '[')) frames.push_back(line);
  }
  return frames;
}

}  // namespace phoenix::venue::binance::test
