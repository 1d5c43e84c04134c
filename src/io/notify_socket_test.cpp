#include "io/notify_socket.hpp"

#include "io/sd_notify.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace phoenix::io {
namespace {

TEST(NotifySocket, hears_what_a_service_tells_and_who_told_it) {
  NotifySocket socket;
  EXPECT_FALSE(socket.next());
  const ServiceManager manager{socket.name()};
  ASSERT_TRUE(manager.tell("STATUS=starting"));
  ASSERT_TRUE(manager.tell("READY=1\nWATCHDOG=1"));
  const auto first = socket.next();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->text, "STATUS=starting");
  EXPECT_EQ(first->pid, static_cast<std::uint32_t>(::getpid()));
  const auto second = socket.next();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->text, "READY=1\nWATCHDOG=1");
  EXPECT_FALSE(socket.next());
}

TEST(NotifySocket, two_have_two_names_and_a_closed_one_takes_nothing) {
  std::string name;
  {
    const NotifySocket one, other;
    EXPECT_NE(one.name(), other.name());
    EXPECT_EQ(one.name().front(), '@');
    name = one.name();
  }
  EXPECT_FALSE(ServiceManager{name}.tell("READY=1"));
}

TEST(NotifySocket, a_long_message_is_cut_and_the_next_is_whole) {
  NotifySocket socket;
  const ServiceManager manager{socket.name()};
  ASSERT_TRUE(manager.tell(std::string(10'000, 'x')));
  ASSERT_TRUE(manager.tell("READY=1"));
  EXPECT_EQ(socket.next()->text.size(), 4096u);
  EXPECT_EQ(socket.next()->text, "READY=1");
}

}  // namespace
}  // namespace phoenix::io
