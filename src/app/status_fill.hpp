#pragma once

#include "app/config_watch.hpp"
#include "io/state_store.hpp"
#include "ops/status.hpp"

namespace phoenix::app {

/// What the operating system says of this process: memory, processor time, threads, open files.
void fill_process(ops::Status& status);
void fill_config_watch(ops::Status& status, const ConfigWatch& watch);
void fill_state_store(ops::Status& status, const io::StateStatus& store);

}  // namespace phoenix::app
