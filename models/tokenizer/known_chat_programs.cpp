#include "models/tokenizer/chat_formats.hpp"

namespace flowspec {
namespace {

// Taken up is a program whose text was rendered by Jinja for conversations with and without a
// message of the system, with white space at the ends of messages, with empty answers and with
// thoughts in them, and gave what the format here gives, byte by byte.
constexpr KnownProgram programs[] = {
    {0x0283f874ff58d644, "qwen3", true, false},
    {0x02cdc546cb24cabe, "mistral-v7-tekken", true, true},
    {0x06313202cb9cca62, "zephyr", true, false},
    {0x0851ab9cd45ab48a, "qwen3", true, false},
    {0x0fce2631d280d8f1, "qwen2.5", true, false},
    {0x11381d1c62000f60, "mistral-v7", true, true},
    {0x1b4364d33f1c9b55, "chatml", true, false},
    {0x1db34e9fc60441d8, "zephyr", true, false},
    {0x200a40db4b06187d, "openchat", true, true},
    {0x2469c9508f79506e, "qwen2.5", true, false},
    {0x24f6d97f87d647f5, "llama2", true, true},
    {0x2cf6c80e0c47b498, "tulu3", true, true},
    {0x2fd7b132e9de2378, "qwq", true, false},
    {0x3907c0c56d05a68f, "chatml", true, true},
    {0x3ec23d8d21f962b0, "llama2", true, true},
    {0x40f48cea39f88d70, "chatml", true, false},
    {0x411248e379369751, "mistral-v0.3", false, true},
    {0x41420706576a45ea, "qwen2", true, false},
    {0x484f12b9f5152ece, "qwq", true, false},
    {0x4a8163316d06f462, "chatml", true, false},
    {0x4c1f3557de33e6ff, "qwen2", true, true},
    {0x4c6e807ee5fe9f4a, "chatml", true, false},
    {0x5567f903ec81fe47, "qwen2", true, false},
    {0x55b25ceb4910aa64, "deepseek-r1", true, true},
    {0x56a138c31521e7c8, "deepseek-r1", true, true},
    {0x588e6e4c9418a799, "chatml", true, false},
    {0x58cd1105c674f0cc, "deepseek-r1-0528", true, true},
    {0x6260d1fdadc84078, "chatml", true, false},
    {0x6878d9ac13b3ef51, "deepseek3", true, true},
    {0x6a6adf55847af499, "mistral-v3-tekken", true, true},
    {0x6ca7779b7730196a, "llama3.1", true, true},
    {0x6d68488b86e2e184, "deepseek-r1-0528", true, true},
    {0x6db1a6dccd963b1a, "qwen2", true, false},
    {0x70325d9540e2904f, "phi4", true, false},
    {0x759e4eeeb1ec9b77, "deepseek-r1-0528", true, true},
    {0x7b4a2d69f1d91b7c, "tulu3", true, false},
    {0x7f9a49454cc7b3cf, "qwen2", true, false},
    {0x8a47f0d72cc56d1d, "chatml", true, true},
    {0x8fb5d937b1e8f5d0, "chatml", true, false},
    {0x9799ad6e2dea0594, "llama3", true, true},
    {0x99ab995e9629dacd, "smollm2", true, false},
    {0x9a759f31d2cc23b5, "chatml", true, true},
    {0x9aeb415ffad02d34, "deepseek3", true, true},
    {0xa04f41d813a07b13, "chatml", true, false},
    {0xa5a1cdd6a4776db4, "deepseek-r1-0528", true, true},
    {0xa5d004210ebce758, "mistral-v0.2", false, true},
    {0xac1b80969a7fd8e7, "yi", true, false},
    {0xafecb793aa812540, "qwen3-thinking", true, false},
    {0xb0acca7adcbb8755, "chatml", true, false},
    {0xb242b4e4424831aa, "llama3", true, true},
    {0xb7f52373b11c60d7, "mistral-v0.1", false, true},
    {0xb97891b7adc1beb8, "llama3", true, true},
    {0xbc5711ad3f99d670, "phi4", true, false},
    {0xbdee364f122d2352, "qwen3-thinking", true, false},
    {0xc0abd2b1a4abe5ad, "chatml", true, true},
    {0xc31e98db8c19d1d3, "qwen2", true, false},
    {0xc3d57e38f5ff0756, "llama3.2", true, true},
    {0xc6614466504d495b, "mistral-v3", true, true},
    {0xc8f6faf0314cc53e, "qwen2", true, false},
    {0xc9e0155c80737cf2, "qwen3", true, false},
    {0xcae647ce0048756b, "mistral-v3-tekken", true, true},
    {0xcfe9acb2abfa8022, "chatml", true, true},
    {0xd5d943bd0bd9082f, "qwen2", true, false},
    {0xd6f914dc85bd5633, "qwen3", true, false},
    {0xda206a9e46a4ac01, "chatml", true, false},
    {0xe42cd1debbc7b5b5, "chatml", true, false},
    {0xe5425ae5d6811707, "yi", true, false},
    {0xeb34d2ff6fe7cf31, "qwen3", true, false},
    {0xef2b96adf9b87224, "qwen2.5", true, false},
    {0xf40d3b263dcc40bf, "qwen1.5", true, false},
    {0xf47cfd234bfcd76a, "deepseek-r1", true, true},
    {0xf64ecff9c8ef587d, "deepseek", true, true},
    {0xf89cfc57f651ff3d, "mistral-v1", true, true},
    {0xfa64bd8e686c0f33, "qwen3", true, false},
    {0xfc02bbdbde8711b2, "solar", true, false},
};

}  // namespace

std::span<const KnownProgram> known_chat_programs() {
  return programs;
}

}  // namespace flowspec
