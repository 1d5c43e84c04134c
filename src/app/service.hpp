#pragma once

#include "app/commands.hpp"

namespace phoenix::app {

/// Which program of a configuration.
struct Service {
  std::filesystem::path config;
  Purpose purpose = Purpose::run;
  WhichRun which = WhichRun::real;
};

struct StartArguments {
  Service service;
  Extent extent = Extent::usual;
  InsecureBind insecure_bind = InsecureBind::no;
  base::Duration wait = base::seconds{60};  ///< for it to be ready
};
/// Starts a maker or recorder that goes on without a terminal. 0 when it is ready; 1 when it runs and is not
/// yet; its own exit code when it has ended; 130 when nobody waits any more.
int start(const StartArguments& arguments);

struct StopArguments {
  Service service;
  base::Duration wait = base::seconds{60};  ///< for it to be gone
};
/// Ends it as Ctrl-C would. 0 when it is gone and left nothing behind, else 1.
int stop(const StopArguments& arguments);

}  // namespace phoenix::app
