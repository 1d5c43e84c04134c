#include "app/rest_caller.hpp"

#include <utility>

namespace phoenix::app {

RestCaller::RestCaller(const io::RealClock& clock)
    : clock_{clock}, network_{clock, static_cast<io::NetworkHandler&>(*this)} {}

RestCaller::~RestCaller() { network_.stop(); }

base::Result<io::RestResult, std::string> RestCaller::call(io::RestCall call, base::Duration most) {
  call.deadline = clock_.now() + most;
  std::unique_lock lock{mutex_};
  call.request_id = last_request_ = model::RequestId{last_request_.value + 1};
  answer_.reset();
  if (network_.call(std::move(call)) != io::Submitted::accepted)
    return base::fail(std::string{"the network takes no call"});
  // Every call ends by its deadline; the second more is for the loop's own pace.
  if (!came_.wait_for(lock, most + base::seconds{1}, [this] { return answer_.has_value(); }))
    return base::fail(std::string{"no answer in time"});
  if (answer_->outcome != io::RestResult::Outcome::answered) return base::fail(std::move(answer_->why));
  return std::move(*answer_);
}

void RestCaller::on_rest(model::RequestId id, io::RestResult& result, base::LocalTime) {
  const std::lock_guard lock{mutex_};
  if (id != last_request_) return;
  answer_ = std::move(result);
  came_.notify_all();
}

}  // namespace phoenix::app
