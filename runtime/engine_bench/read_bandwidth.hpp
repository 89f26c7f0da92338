#pragma once

namespace flowspec {

/// How fast this machine's memory can be read, in bytes per second: the best of several passes over
/// half a gigabyte in huge pages, with one stream and with four streams per thread.
double measure_read_bandwidth(unsigned threads);

}  // namespace flowspec
