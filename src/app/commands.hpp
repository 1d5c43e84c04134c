#pragma once

#include "app/backtest.hpp"
#include "app/paper.hpp"
#include "app/purpose.hpp"
#include "base/time.hpp"
#include "ops/guard_rules.hpp"
#include "record/quality.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

/// One function per command of the program; each returns the process's exit code and throws StartError when
/// it cannot begin.
namespace phoenix::app {

enum class Format : bool { text, json };

struct DemoArguments {
  std::optional<base::Duration> run_for;  ///< empty: until a signal on a terminal, else 60 s
  std::uint64_t seed = 1;
  std::optional<std::filesystem::path> data_dir;  ///< empty: a fresh directory that goes afterwards
  std::uint16_t metrics_port = 0;                 ///< 0: any free one
};
int demo(const DemoArguments& arguments);

/// How much of a configuration a run trades. usual: limited on live hosts, full on all others.
enum class Extent : std::uint8_t { usual, limited, full };
/// Whether a metrics_address beyond this machine may be read by anybody who reaches it.
enum class InsecureBind : bool { no, yes };

struct RunArguments {
  std::filesystem::path config;
  std::optional<base::Duration> run_for;  ///< empty: until a signal
  Extent extent = Extent::usual;
  std::optional<PaperSettings> paper;  ///< orders meet a model; empty: the venue
  InsecureBind insecure_bind = InsecureBind::no;
};
int run(const RunArguments& arguments);
/// Whether it is held to one symbol and its smallest orders (FirstStart).
bool begins_small(const Config& config, const RunArguments& arguments);
/// Whether no check of the preflight may fail.
bool needs_preflight(const Config& config, const RunArguments& arguments);

enum class TakeOver : std::uint8_t { no, yes };
struct RecordArguments {
  std::filesystem::path config;           ///< empty: the defaults, on the live venue
  std::optional<base::Duration> run_for;  ///< empty: as configured, else until a signal
  InsecureBind insecure_bind = InsecureBind::no;
  TakeOver take_over = TakeOver::no;  ///< yes: from whoever records there now
};
int record(const RecordArguments& arguments);

struct ExchangeArguments {
  std::uint16_t port = 8080;      ///< plain; 0: any free one
  std::uint16_t tls_port = 8443;  ///< 0: any free one
  std::uint64_t seed = 1;
  std::string api_key = "local-key";
  std::string api_secret = "local-secret";
  std::filesystem::path data_dir = "phoenix-exchange";  ///< for the certificates
  std::vector<std::filesystem::path> market;  ///< recordings that drive their symbols instead of agents
  std::optional<std::filesystem::path> faults;
  std::optional<std::uint16_t> control_port;  ///< empty: no control endpoint; 0: any free port
  std::uint32_t stream_cuts = 2;
  std::optional<base::Duration> run_for;
};
int exchange(const ExchangeArguments& arguments);

struct ReplayArguments {
  std::vector<std::filesystem::path> files;
  Format format = Format::text;
  std::optional<std::filesystem::path> config;  ///< trade it over the data
  BacktestSettings backtest;                    ///< its data is `files`
  std::optional<std::filesystem::path> report;  ///< PREFIX of what is written
};
int replay(const ReplayArguments& arguments);
/// A replay with a configuration.
int backtest(const ReplayArguments& arguments);

struct SweepArguments {
  std::filesystem::path config;
  BacktestSettings backtest;
  std::vector<std::string> set;  ///< KEY=VALUE,VALUE...
  std::string by = "net";        ///< the figure that sorts
  int jobs = 0;                  ///< runs at a time; 0: one a core
  Format format = Format::text;
  std::optional<std::filesystem::path> report;
};
/// Trades every combination of values over the data.
int sweep(const SweepArguments& arguments);

enum class QueryFormat : std::uint8_t { table, csv, json };
struct QueryArguments {
  std::filesystem::path directory;
  std::string sql;  ///< empty: print every kind with its columns instead
  QueryFormat format = QueryFormat::table;
  std::uint64_t limit = 100;                ///< rows of a table
  std::vector<std::filesystem::path> also;  ///< further recordings under the same views
};
/// 130 when interrupted.
int query(const QueryArguments& arguments);

enum class Recovery : bool { no, yes };
struct VerifyArguments {
  std::filesystem::path directory;
  std::vector<std::filesystem::path> also;
  Recovery recovery = Recovery::yes;  ///< first finish what an interrupted run left
  Format format = Format::text;
  std::optional<std::filesystem::path> out;  ///< the JSON report goes there too
  std::optional<base::VenueTime> from, to;   ///< empty: the recording's own begin and end
  std::optional<base::Duration> lookback;    ///< before `to`, or before now
  record::QualityLimits limits;
};
/// 0 pass, 1 fail.
int verify(const VerifyArguments& arguments);

struct SimulateArguments {
  std::optional<std::uint64_t> seed;  ///< empty: from the clock, and printed
  double hours = 0.5;                 ///< of virtual time, each run
  std::string faults = "all";         ///< all, none, or names of fault kinds with commas between
  int runs = 1;                       ///< with seeds from `seed` upwards
  int jobs = 1;                       ///< runs at a time
  Format format = Format::text;
};
int simulate(const SimulateArguments& arguments);

struct GuardArguments {
  std::filesystem::path config;
  ops::GuardRestart restart = ops::GuardRestart::no;
  std::optional<base::Duration> interval;  ///< between looks; empty: 200 ms
  std::optional<base::Duration> run_for;   ///< empty: until a signal
};
int guard(const GuardArguments& arguments);

enum class WhoseOrders : bool { ours, all };
enum class Consent : bool { ask, given };
enum class Rehearsal : bool { no, yes };
enum class Haste : bool { no, yes };
/// The run of a configuration with the venue's account, or the paper run.
enum class WhichRun : std::uint8_t { real, paper };
struct EmergencyArguments {
  std::filesystem::path config;
  std::vector<std::string> symbols;  ///< these alone; empty: those configured, and where orders of ours are
  WhoseOrders whose = WhoseOrders::ours;
  Consent consent = Consent::ask;
  Rehearsal rehearsal = Rehearsal::no;  ///< only say what would be done
  Haste haste = Haste::no;              ///< close at any price at once
  WhichRun run = WhichRun::real;        ///< re-arm only
};
/// Sets the kill latch, then cancels. 0 only when the venue confirmed that nothing is left, 1 when something
/// may be.
int emergency_cancel_all(const EmergencyArguments& arguments);
/// The same, then closes positions with orders that only reduce.
int emergency_close_all(const EmergencyArguments& arguments);
/// Takes the kill latch and those of the guards away; with symbols, the guards' of these alone.
int emergency_re_arm(const EmergencyArguments& arguments);
/// Orders and trades that are not ours are known to the operator: the symbols held by them may quote again.
int orders_claim(const EmergencyArguments& arguments);

struct PreflightArguments {
  std::filesystem::path config;
  Format format = Format::text;
};
/// May this configuration trade with this account? Asks, and changes nothing. 0 when nothing failed, else 2.
int preflight(const PreflightArguments& arguments);

struct DoctorArguments {
  std::optional<std::filesystem::path> config;  ///< names the data directory; else `directory` is it
  std::filesystem::path directory;
  base::Duration last = base::hours{1};
  Format format = Format::text;
};
int doctor(const DoctorArguments& arguments);

enum class AlertsFormat : std::uint8_t { text, json, prometheus };
struct AlertsArguments {
  std::filesystem::path config;  ///< empty, for the list: the rules at their defaults
  Purpose purpose = Purpose::run;
  AlertsFormat format = AlertsFormat::text;
};
/// The alert rules in force, or as a rules file for Prometheus.
int alerts_list(const AlertsArguments& arguments);
/// Sends one message to each channel. 0 when each took it, else 1.
int alerts_test(const AlertsArguments& arguments);

enum class Looks : bool { many, one };
struct StatusArguments {
  std::filesystem::path config;
  Purpose purpose = Purpose::run;
  Looks looks = Looks::many;  ///< one also where the output is no terminal
  Format format = Format::text;
};
/// What a running Phoenix says of itself. 1 when it cannot be asked.
int status(const StatusArguments& arguments);
/// The same about its traffic.
int traffic(const StatusArguments& arguments);

struct HealthArguments {
  std::filesystem::path config;
  Purpose purpose = Purpose::run;
  std::optional<base::Duration> watch;  ///< between two looks; empty: one
  Format format = Format::text;
};
/// 0 healthy, 1 warning, 2 severe; of the last look.
int health(const HealthArguments& arguments);
/// Prints every metric.
int metrics();

struct ConfigCheckArguments {
  std::filesystem::path config;
  Purpose purpose = Purpose::run;
};
int config_check(const ConfigCheckArguments& arguments);

struct ConfigShowArguments {
  std::filesystem::path config;  ///< empty: none, which is enough to record
  Purpose purpose = Purpose::run;
  Format format = Format::text;
};
/// The settings in force, each with where it comes from.
int config_show(const ConfigShowArguments& arguments);

}  // namespace phoenix::app
