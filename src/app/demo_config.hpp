#pragma once

#include <cstdint>
#include <string>

namespace phoenix::app {

/// The configuration of `phoenix demo`: five symbols, 7 layers a side each, on a local exchange at
/// `tls_port`.
std::string demo_config(std::uint16_t tls_port, const std::string& ca_file, const std::string& data_dir);

}  // namespace phoenix::app
