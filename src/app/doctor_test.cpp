#include "app/doctor.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace phoenix::app {
namespace {

using Kind = ops::IncidentKind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr base::LocalTime t0 = base::local_time_ns(1'700'000'000'000'000'000);

io::LoggedIncident incident(base::Duration at, Kind kind, std::string subject, std::string what = {},
                            base::Duration cost = {}) {
  return {.at = t0 + at,
          .kind = kind,
          .subject = std::move(subject),
          .what = std::move(what),
          .cost = cost,
          .evidence = {}};
}
Diagnosis of(std::vector<io::LoggedIncident> incidents, base::Duration since = {},
             base::Duration now = base::hours{1}) {
  return diagnose({.incidents = std::move(incidents), .lines_unreadable = 0}, t0 + since, t0 + now);
}

TEST(Doctor, sums_the_time_without_quotes_by_symbol_and_cause_the_longest_first) {
  const auto diagnosis = of({
      incident(base::seconds{0}, Kind::started, ""),
      incident(base::seconds{10}, Kind::withdrawn, "BTCUSDC", "stalled"),
      incident(base::seconds{12}, Kind::quoting, "BTCUSDC", "", base::seconds{2}),
      incident(base::seconds{20}, Kind::withdrawn, "ETHUSDC", "resync"),
      incident(base::seconds{21}, Kind::withdrawn, "ETHUSDC", "stalled"),  // another reason took over
      incident(base::seconds{30}, Kind::quoting, "ETHUSDC"),
      incident(base::seconds{40}, Kind::withdrawn, "ETHUSDC", "resync"),
      incident(base::seconds{43}, Kind::quoting, "ETHUSDC"),
  });
  ASSERT_EQ(diagnosis.symbols.size(), 2u);
  EXPECT_EQ(diagnosis.symbols[0].name, "ETHUSDC");
  EXPECT_EQ(diagnosis.symbols[0].unquoted, base::seconds{13});
  ASSERT_EQ(diagnosis.symbols[0].causes.size(), 2u);
  EXPECT_EQ(diagnosis.symbols[0].causes[0].what, "stalled");
  EXPECT_EQ(diagnosis.symbols[0].causes[0].time, base::seconds{9});
  EXPECT_EQ(diagnosis.symbols[0].causes[1].time, base::seconds{4});
  EXPECT_EQ(diagnosis.symbols[0].causes[1].count, 2);
  EXPECT_EQ(diagnosis.symbols[1].unquoted, base::seconds{2});
  EXPECT_THAT(diagnosis.unresolved, IsEmpty());
}

TEST(Doctor, what_is_still_withdrawn_is_unresolved_and_counted_until_now) {
  const auto diagnosis = of({incident(base::seconds{0}, Kind::started, ""),
                             incident(base::minutes{59}, Kind::withdrawn, "ETHUSDC", "stalled")});
  EXPECT_THAT(diagnosis.unresolved, ElementsAre(HasSubstr("ETHUSDC is not quoted since")));
  EXPECT_EQ(diagnosis.symbols.at(0).unquoted, base::minutes{1});
}

TEST(Doctor, a_program_that_left_owes_no_quotes) {
  const auto diagnosis = of({incident(base::seconds{0}, Kind::withdrawn, "ETHUSDC", "stalled"),
                             incident(base::seconds{1}, Kind::connection_lost, "public_a", "reset"),
                             incident(base::seconds{2}, Kind::resync, "ETHUSDC", "gap"),
                             incident(base::seconds{5}, Kind::stopped, "", "exit code 0")});
  EXPECT_THAT(diagnosis.unresolved, IsEmpty());
  EXPECT_EQ(diagnosis.symbols.at(0).unquoted, base::seconds{5});
}

TEST(Doctor, names_what_was_never_made_good) {
  const auto diagnosis =
      of({incident(base::seconds{1}, Kind::connection_lost, "public_a", "reset"),
          incident(base::seconds{1}, Kind::connection_lost, "public_b", "reset"),
          incident(base::seconds{2}, Kind::connection_opened, "public_b", "", base::seconds{1}),
          incident(base::seconds{2}, Kind::resync, "ETHUSDC", "gap"),
          incident(base::seconds{3}, Kind::latched, "", "drawdown")});
  EXPECT_THAT(diagnosis.unresolved,
              ElementsAre(HasSubstr("the kill latch is set"), HasSubstr("public_a is not connected"),
                          HasSubstr("ETHUSDC has a broken book")));
  EXPECT_THAT(of({incident(base::seconds{1}, Kind::latched, "", "drawdown"),
                  incident(base::seconds{2}, Kind::rearmed, "")})
                  .unresolved,
              IsEmpty());
  EXPECT_THAT(of({incident(base::seconds{1}, Kind::stopped, "", "exit 1, orders may rest")}).unresolved,
              ElementsAre(HasSubstr("without confirming")));
}

TEST(Doctor, orders_that_may_rest_are_settled_by_a_run_that_looked_and_by_no_start_that_failed) {
  const auto left = incident(base::seconds{1}, Kind::stopped, "", "exit 2, orders may rest");
  const auto started = incident(base::seconds{2}, Kind::started, "");
  EXPECT_EQ(of({left, started, incident(base::seconds{3}, Kind::stopped, "", "exit 2")}).unresolved.size(),
            1u);
  EXPECT_THAT(of({left, started, incident(base::seconds{3}, Kind::reconciled, "")}).unresolved, IsEmpty());
  EXPECT_THAT(of({left, started, incident(base::seconds{3}, Kind::stopped, "", "exit 0")}).unresolved,
              IsEmpty());
}

TEST(Doctor, another_line_of_the_channel_takes_the_place_of_a_lost_one) {
  EXPECT_THAT(of({incident(base::seconds{1}, Kind::connection_lost, "public_a", "reset"),
                  incident(base::seconds{2}, Kind::connection_opened, "public_c")})
                  .unresolved,
              IsEmpty());
  EXPECT_EQ(of({incident(base::seconds{1}, Kind::connection_lost, "public_a", "reset"),
                incident(base::seconds{2}, Kind::connection_opened, "market_a")})
                .unresolved.size(),
            1u);
}

TEST(Doctor, a_span_shows_its_own_part_only_and_knows_what_was_open_before_it) {
  const auto diagnosis = of({incident(base::seconds{0}, Kind::withdrawn, "ETHUSDC", "stalled"),
                             incident(base::minutes{31}, Kind::quoting, "ETHUSDC", "", base::minutes{31})},
                            base::minutes{30});
  ASSERT_EQ(diagnosis.lines.size(), 1u);
  EXPECT_EQ(diagnosis.lines[0].text, "quotes are back after 31 min 0 s");
  EXPECT_EQ(diagnosis.symbols.at(0).unquoted, base::minutes{1});
}

TEST(Doctor, every_kind_has_its_words_and_any_text_becomes_json) {
  std::vector<io::LoggedIncident> incidents;
  for (std::size_t i = 0; i < ops::incident_kind_names.size(); ++i)
    incidents.push_back(incident(base::seconds{static_cast<int>(i)}, static_cast<Kind>(i), "s", "what \"\xff",
                                 base::seconds{1}));
  const auto diagnosis = of(std::move(incidents));
  for (const auto& line : diagnosis.lines) EXPECT_GT(line.text.size(), 5u) << ops::name(line.incident.kind);
  const auto json = nlohmann::json::parse(diagnosis_json(diagnosis));
  EXPECT_EQ(json["incidents"].size(), ops::incident_kind_names.size());
  EXPECT_THAT(diagnosis_text(diagnosis), HasSubstr("2023-11-14T22:13:20.000Z"));
}

}  // namespace
}  // namespace phoenix::app
