#pragma once

#include <optional>
#include <string>
#include <vector>

namespace phoenix::app {

/// Lines and marks over time as one SVG picture. What is not there interrupts a line.
struct Plot {
  enum class Shape : unsigned char { straight, steps };
  enum class Sign : unsigned char { up, down };
  struct Point {
    double x = 0;
    std::optional<double> y;
  };
  struct Line {
    std::string name, colour;
    Shape shape = Shape::straight;
    std::vector<Point> points{};
  };
  struct Mark {
    double x = 0, y = 0;
    Sign sign = Sign::up;
    std::string colour;
  };

  std::string title;
  std::string x_unit = "time";  ///< "time": seconds shown as h:mm:ss
  std::vector<Line> lines{};
  std::vector<Mark> marks{};

  std::string svg() const;
};

}  // namespace phoenix::app
