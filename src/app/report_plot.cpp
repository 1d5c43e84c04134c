#include "app/report_plot.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace phoenix::app {
namespace {

constexpr double width = 960, height = 240, left = 80, right = 10, top = 24, bottom = 24;

struct Range {
  double low = 0, high = 0;
  bool known = false;
  void see(double value) {
    low = known ? std::min(low, value) : value;
    high = known ? std::max(high, value) : value;
    known = true;
  }
  double length() const { return high > low ? high - low : 1; }
};

/// A round step that divides `length` into about `parts`.
double step_of(double length, int parts) {
  const double rough = length / parts;
  double unit = 1;
  while (unit > rough) unit /= 10;
  while (unit * 10 <= rough) unit *= 10;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (unit * factor >= rough) return unit * factor;
  }
  return unit * 10;
}

std::string clock_text(double seconds) {
  const auto whole = static_cast<long long>(seconds);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

double time_step(double length, int parts) {
  for (const double step : {1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0,
                            7200.0, 14400.0, 21600.0}) {
    if (length / step <= parts) return step;
  }
  return 86400.0 * std::ceil(length / parts / 86400.0);
}

class Canvas {
 public:
  Canvas(Range x, Range y) : x_(x), y_(y) {}
  double px(double x) const { return left + (x - x_.low) / x_.length() * (width - left - right); }
  double py(double y) const { return height - bottom - (y - y_.low) / y_.length() * (height - top - bottom); }

 private:
  Range x_, y_;
};

std::string path_of(const Plot::Line& line, const Canvas& canvas) {
  std::string path;
  bool down = false;
  for (const auto& point : line.points) {
    if (!point.y) {
      down = false;
      continue;
    }
    const double x = canvas.px(point.x), y = canvas.py(*point.y);
    if (!down) {
      path += fmt::format("M{:.1f} {:.1f}", x, y);
    } else if (line.shape == Plot::Shape::steps) {
      path += fmt::format("H{:.1f}V{:.1f}", x, y);
    } else {
      path += fmt::format("L{:.1f} {:.1f}", x, y);
    }
    down = true;
  }
  return path;
}

}  // namespace

std::string Plot::svg() const {
  Range x, y;
  for (const auto& line : lines) {
    for (const auto& point : line.points) {
      x.see(point.x);
      if (point.y) y.see(*point.y);
    }
  }
  for (const auto& mark : marks) {
    x.see(mark.x);
    y.see(mark.y);
  }
  std::string out =
      fmt::format("<svg viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"11\">", width, height);
  out += fmt::format("<text x=\"{}\" y=\"14\" font-size=\"13\" font-weight=\"600\">{}</text>", left, title);
  if (!x.known || !y.known) return out + fmt::format("<text x=\"{}\" y=\"60\">nothing</text></svg>\n", left);
  if (y.high == y.low) {
    y.low -= 1;
    y.high += 1;
  }
  const Canvas canvas{x, y};
  const double y_step = step_of(y.length(), 5);
  for (double value = std::ceil(y.low / y_step) * y_step; value <= y.high; value += y_step) {
    const double at = canvas.py(value);
    out += fmt::format("<path d=\"M{} {:.1f}H{}\" stroke=\"#ddd\"/>", left, at, width - right);
    out += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:.6g}</text>", left - 6, at + 4,
                       std::abs(value) < y_step / 1e6 ? 0 : value);
  }
  const bool clock = x_unit == "time";
  const double x_step = clock ? time_step(x.length(), 8) : step_of(x.length(), 8);
  for (double value = std::ceil(x.low / x_step) * x_step; value <= x.high; value += x_step) {
    const double at = canvas.px(value);
    out += fmt::format("<path d=\"M{:.1f} {}V{}\" stroke=\"#eee\"/>", at, top, height - bottom);
    out += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>", at, height - 8,
                       clock ? clock_text(value) : fmt::format("{:.6g} {}", value, x_unit));
  }
  double legend = width - right;
  for (const auto& line : lines) {
    out += fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.2\"/>",
                       path_of(line, canvas), line.colour);
    legend -= 12 + 7.0 * static_cast<double>(line.name.size());
    out += fmt::format("<text x=\"{:.1f}\" y=\"14\" fill=\"{}\">{}</text>", legend, line.colour, line.name);
  }
  for (const auto& mark : marks) {
    const double at_x = canvas.px(mark.x), at_y = canvas.py(mark.y);
    const double tip = mark.sign == Sign::up ? -4 : 4;
    out += fmt::format("<path d=\"M{:.1f} {:.1f}l3.5 {}h-7z\" fill=\"{}\" fill-opacity=\"0.75\"/>", at_x,
                       at_y + tip, -2 * tip, mark.colour);
  }
  return out + "</svg>\n";
}

}  // namespace phoenix::app
