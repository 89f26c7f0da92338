#pragma once

#include <string>
#include <string_view>

namespace flowspec {

struct SvgPoint {
  double x = 0;
  double y = 0;
};

/// Escapes text and attribute values for XML. Characters that XML cannot hold, and bytes that are
/// not UTF-8, become "?".
std::string xml_escaped(std::string_view text);

/// Builds an SVG; units are pixels.
class SvgWriter {
 public:
  SvgWriter(double width, double height);

  /// `tooltip` may be empty. `style` is a list of attributes, not escaped.
  void rectangle(SvgPoint corner, double width, double height, std::string_view style,
                 std::string_view tooltip = {});
  void line(SvgPoint from, SvgPoint to, std::string_view style);
  void text(SvgPoint at, std::string_view text, std::string_view style = {});
  /// Copied as it is.
  void raw(std::string_view text) { body_ += text; }

  /// The whole file.
  std::string finish() const;

 private:
  double width_;
  double height_;
  std::string body_;
};

}  // namespace flowspec
