#pragma once

#include "app/catalog.hpp"
#include "io/duck.hpp"
#include "record/quality.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace phoenix::app {

/// What `phoenix verify` knows of a recording: everything in [from, to), by default all of it. Goes through
/// it hour by hour, so that neither memory nor a query grows with its length. StartError where the window or
/// the recording is empty or a file is no Parquet file; DuckError where one cannot be read. `progress` is
/// told how many of its hours are done.
record::QualityFigures measure(io::Duck& duck, const Catalog& catalog, const record::QualityLimits& limits,
                               std::optional<std::int64_t> from_ns, std::optional<std::int64_t> to_ns,
                               const std::function<void(std::uint64_t done, std::uint64_t total)>& progress);

/// SHA-256 of a file's bytes, 64 hexadecimal digits. StartError when it cannot be read.
std::string sha256_of(const std::string& path);

}  // namespace phoenix::app
