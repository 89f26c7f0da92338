#include "tests/fuzz/seeds.hpp"

namespace flowspec::fuzz {

Seeds openai_seeds() {
  // The first byte says to which endpoint.
  return {
      {"chat",
       R"(0{"model":"story","messages":[{"role":"system","content":"a"},{"role":"user","name":"b",)"
       R"("content":[{"type":"text","text":"c"}]}],"stream":true,"stream_options":{"include_usage":true},)"
       R"("max_tokens":5,"max_completion_tokens":6,"temperature":0.5,"top_p":0.9,"top_k":40,"min_p":0.1,)"
       R"("seed":-1,"stop":["a","b"],"n":2,"logprobs":true,"top_logprobs":3,"frequency_penalty":-1,)"
       R"("presence_penalty":1.5,"repetition_penalty":1.1,"logit_bias":{"5":-100},"user":"u",)"
       R"("response_format":{"type":"text"},"tools":[],"tool_choice":"auto"})"},
      {"chat_with_calls",
       R"(0{"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"1"}]},)"
       R"({"role":"tool","tool_call_id":"1","content":"2"}],"continue_final_message":true})"},
      {"completion",
       R"(1{"prompt":"a","max_tokens":5,"logprobs":2,"echo":false,"suffix":"","best_of":1,"stop":"x"})"},
      {"completion_of_tokens", R"(1{"prompt":[[1,2],"a"],"n":2})"},
      {"tokenize", R"(2{"prompt":"a","add_special_tokens":true,"return_token_strs":true})"},
      {"tokenize_content", R"(2{"content":"a","add_special":true,"parse_special":true})"},
      {"detokenize", R"(3{"tokens":[1,2,3]})"},
      {"apply_template",
       R"(4{"messages":[{"role":"user","content":"a"}],"tools":[{"type":"function"}],"documents":[{}],)"
       R"("chat_template_kwargs":{"enable_thinking":false},"add_generation_prompt":false})"}};
}

}  // namespace flowspec::fuzz
