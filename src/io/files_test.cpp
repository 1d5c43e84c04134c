#include "io/files.hpp"

#include "io/signals.hpp"
#include "io/test_support.hpp"

#include <csignal>
#include <fstream>

#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <zlib.h>
#include <zstd.h>

namespace phoenix::io::test {
namespace {

std::string zstd_of(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 1));
  return out;
}

std::string gzip_of(std::string_view text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string in{text};
  std::string out(deflateBound(&stream, static_cast<uLong>(in.size())) + 32, '\0');
  stream.next_in = static_cast<Bytef*>(static_cast<void*>(in.data()));
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = static_cast<Bytef*>(static_cast<void*>(out.data()));
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string lines_text(int from, int to) {
  std::string text;
  for (int i = from; i < to; ++i) {
    text += "{\"line\":" + std::to_string(i) + ",\"pad\":\"" +
            std::string(static_cast<std::size_t>(i % 97), 'x') + "\"}\n";
  }
  return text;
}

class Files : public testing::Test {
 protected:
  std::filesystem::path put(const std::string& name, std::string_view content) {
    const auto path = directory_.path() / name;
    std::ofstream{path, std::ios::binary} << content;
    return path;
  }
  static std::string join(LineReader& reader) {
    std::string text;
    while (const auto line = reader.next()) text.append(*line) += '\n';
    return text;
  }
  static std::string error_of(const std::filesystem::path& path) {
    try {
      LineReader reader{path};
      join(reader);
    } catch (const FileError& error) {
      return error.what();
    }
    return {};
  }
  TemporaryDirectory directory_;
};

TEST(TemporaryDirectoryTest, goes_with_what_is_in_it_and_says_why_it_cannot_be_made) {
  std::filesystem::path path;
  {
    const TemporaryDirectory directory;
    path = directory.path();
    std::filesystem::create_directories(path / "a" / "b");
    const TemporaryDirectory inside{path};
    EXPECT_EQ(inside.path().parent_path(), path);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  try {
    const TemporaryDirectory nowhere{path};
    ADD_FAILURE() << "made in " << path;
  } catch (const FileError& fault) {
    EXPECT_EQ(fault.what(), "cannot make a directory in " + path.string() + ": No such file or directory");
  }
}

TEST_F(Files, the_same_lines_come_from_plain_zstd_and_gzip) {
  const std::string text = lines_text(0, 40'000);
  for (const auto& [file, content] :
       {std::pair{"a.txt", text}, std::pair{"a.zst", zstd_of(text)}, std::pair{"a.gz", gzip_of(text)}}) {
    LineReader reader{put(file, content)};
    EXPECT_EQ(join(reader), text) << file;
    EXPECT_EQ(reader.line_number(), 40'000u);
    EXPECT_EQ(reader.bytes_read(), content.size());
    EXPECT_EQ(reader.bytes_total(), content.size());
  }
}

TEST_F(Files, several_frames_and_members_are_one_text) {
  const std::string a = lines_text(0, 3000), b = lines_text(3000, 6000);
  LineReader zstd{put("b.zst", zstd_of(a) + zstd_of("") + zstd_of(b))};
  EXPECT_EQ(join(zstd), a + b);
  LineReader gzip{put("b.gz", gzip_of(a) + gzip_of("") + gzip_of(b))};
  EXPECT_EQ(join(gzip), a + b);
}

TEST_F(Files, a_line_may_span_frames_and_be_long) {
  const std::string half(3u << 20, 'y');
  LineReader reader{put("c.zst", zstd_of(half) + zstd_of(half + "\nend"))};
  EXPECT_EQ(reader.next()->size(), 6u << 20);
  EXPECT_EQ(reader.next(), "end");
  EXPECT_EQ(reader.next(), std::nullopt);
  EXPECT_EQ(reader.next(), std::nullopt);
}

TEST_F(Files, a_line_beyond_the_bound_is_an_error) {
  const auto path = put("d.txt", std::string(1001, 'z') + "\n");
  LineReader fits{path, 1001};
  EXPECT_EQ(fits.next()->size(), 1001u);
  LineReader tight{path, 1000};
  EXPECT_THROW(tight.next(), FileError);
}

TEST_F(Files, line_ends_may_be_either_kind_and_the_last_may_lack_one) {
  LineReader reader{put("e.txt", "a\r\n\nb")};
  EXPECT_EQ(reader.next(), "a");
  EXPECT_EQ(reader.next(), "");
  EXPECT_EQ(reader.next(), "b");
  EXPECT_EQ(reader.next(), std::nullopt);
  LineReader empty{put("empty.txt", "")};
  EXPECT_EQ(empty.next(), std::nullopt);
}

TEST_F(Files, every_truncation_of_a_compressed_file_is_noticed) {
  const std::string text = lines_text(0, 30);
  for (const auto& [file, content] : {std::pair{"t.zst", zstd_of(text)}, std::pair{"t.gz", gzip_of(text)}}) {
    for (std::size_t size = 0; size < content.size(); ++size) {
      const std::string error = error_of(put(file, content.substr(0, size)));
      ASSERT_NE(error.find(file), std::string::npos) << file << " cut at " << size << ": '" << error << "'";
      ASSERT_NE(error.find("at byte"), std::string::npos) << error;
    }
  }
}

TEST_F(Files, corruption_is_named_with_its_place) {
  const std::string text = lines_text(0, 2000);
  std::string gzip = gzip_of(text);
  gzip[gzip.size() - 6] ^= 1;  // the checksum
  EXPECT_NE(error_of(put("x.gz", gzip)).find("corrupt gzip"), std::string::npos);
  std::string zstd = zstd_of(text);
  zstd[4] = static_cast<char>(0xff);
  EXPECT_NE(error_of(put("x.zst", zstd)).find("corrupt zstd"), std::string::npos);
  EXPECT_NE(error_of(put("y.zst", zstd_of(text) + "rubbish")).find("zstd"), std::string::npos);
  EXPECT_NE(error_of(put("z.gz", "plain text")).find("not compressed"), std::string::npos);
}

TEST_F(Files, a_missing_file_is_named) {
  EXPECT_NE(error_of("/nowhere/at.all").find("/nowhere/at.all"), std::string::npos);
  EXPECT_NE(error_of(directory_.path()).find("directory"), std::string::npos);
}

TEST_F(Files, an_atomic_write_replaces_the_content_and_leaves_nothing_else) {
  const auto path = directory_.path() / "state";
  write_file_atomically(path, "one");
  write_file_atomically(path, "two", 0600);
  EXPECT_EQ(read_file(path), "two");
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
  const std::filesystem::directory_iterator begin{directory_.path()};
  EXPECT_EQ(std::distance(begin, {}), 1);
  EXPECT_THROW(write_file_atomically("/nowhere/file", "x"), FileError);
  EXPECT_THROW(read_file(path, 2), FileError);
}

TEST_F(Files, what_an_interrupted_write_left_does_not_disturb_the_next) {
  put(".state.tmp", "half");
  write_file_atomically(directory_.path() / "state", "whole");
  EXPECT_EQ(read_file(directory_.path() / "state"), "whole");
}

TEST_F(Files, run_epochs_rise_over_restarts) {
  for (std::uint32_t expected = 1; expected <= 20; ++expected) {
    EXPECT_EQ(RunEpoch::take(directory_.path()), expected);
  }
}

TEST_F(Files, a_corrupt_epoch_stops_the_start) {
  for (const char* content : {"", "7", "x\n", "7 \n", "-1\n", "0\n", "4294967295\n", "99999999999\n"}) {
    put("epoch", content);
    EXPECT_THROW(RunEpoch::take(directory_.path()), FileError) << content;
  }
  put("epoch", "4294967294\n");
  EXPECT_EQ(RunEpoch::take(directory_.path()), 4294967295u);
}

TEST_F(Files, a_directory_has_one_holder_who_is_named_to_the_second) {
  const auto path = directory_.path() / "data";
  {
    const DirectoryLock lock{path};
    try {
      const DirectoryLock second{path};
      FAIL() << "two locks";
    } catch (const FileError& error) {
      EXPECT_NE(std::string{error.what()}.find(std::to_string(::getpid())), std::string::npos)
          << error.what();
    }
  }
  EXPECT_NO_THROW(DirectoryLock{path});
}

TEST_F(Files, a_dead_process_holds_no_lock) {
  const pid_t child = ::fork();
  if (child == 0) {
    new DirectoryLock{directory_.path()};
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_NO_THROW(DirectoryLock{directory_.path()});
}

TEST(StopSignals, a_signal_raises_the_flag_and_the_descriptor_and_later_ones_change_nothing) {
  const StopSignals signals;
  pollfd waiting{.fd = signals.fd(), .events = POLLIN, .revents = 0};
  EXPECT_FALSE(signals.raised());
  EXPECT_EQ(::poll(&waiting, 1, 0), 0);
  std::raise(SIGTERM);
  std::raise(SIGINT);
  EXPECT_EQ(signals.signal(), SIGTERM);
  EXPECT_EQ(::poll(&waiting, 1, 0), 1);
}

TEST(StopSignals, the_former_handlers_return) {
  {
    const StopSignals signals;
  }
  struct sigaction action{};
  ASSERT_EQ(::sigaction(SIGTERM, nullptr, &action), 0);
  EXPECT_EQ(action.sa_handler, SIG_DFL);
  const StopSignals again;
  EXPECT_FALSE(again.raised());
}

}  // namespace
}  // namespace phoenix::io::test
