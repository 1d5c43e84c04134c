#include "base/assert.hpp"
#include "book/book.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>

// Any sequence of levels gives the same book as a map. The first byte chooses the options; then records of a
// byte (side, kind of price, settle, clear) and eight more for price and quantity.
namespace {

using phoenix::book::Book;
using phoenix::model::Level;
using phoenix::model::Price;
using phoenix::model::Qty;
using phoenix::model::Side;

template <class Iterator>
void check(const Book& book, Side side, Iterator expected, std::size_t count) {
  PHX_ASSERT(book.level_count(side) == count, "the ladder holds as many levels as the map");
  book.walk(side, [&](const Level& level) {
    PHX_ASSERT(level.price.raw() == expected->first && level.qty.raw() == expected->second,
               "every level is the map's");
    ++expected;
    return true;
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  phoenix::book::BookOptions options;
  options.window_ticks = 4'096;
  if ((data[0] & 1) != 0) options.tick = Price::from_raw(std::int64_t{1} << (data[0] >> 2));
  Book book{options};
  std::map<std::int64_t, std::int64_t> truth[2];

  for (std::size_t at = 1; at + 9 <= size; at += 9) {
    const std::uint8_t how = data[at];
    std::int64_t number;
    std::memcpy(&number, data + at + 1, sizeof number);
    const Side side = (how & 1) != 0 ? Side::bid : Side::ask;
    std::int64_t price = number;
    if ((how & 6) == 2) price = 6'000'000'000'000 + (number & 0xffff) * 1'000'000;
    if ((how & 6) == 4) price = number & 0xfffff;
    const std::int64_t qty = (how & 8) != 0 ? 0 : (number >> 8) & 0xffff;
    book.set(side, {Price::from_raw(price), Qty::from_raw(qty)});
    if (price > 0) {
      auto& levels = truth[how & 1];
      if (qty == 0) {
        levels.erase(price);
      } else {
        levels[price] = qty;
      }
    }
    if ((how & 16) != 0) book.settle();
    if ((how & 0xe0) == 0xe0) {
      book.clear();
      truth[0].clear();
      truth[1].clear();
    }
  }
  check(book, Side::bid, truth[1].rbegin(), truth[1].size());
  check(book, Side::ask, truth[0].begin(), truth[0].size());
  return 0;
}
