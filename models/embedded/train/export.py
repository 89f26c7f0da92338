"""From trained weights to the shipped files, and back into PyTorch.

GGUF stores q and k rows in the order of GGML's interleaved RoPE (pairs 2i, 2i+1 of a head),
as every `llama` GGUF does; safetensors keep the half-split order (pairs i, i + head_dim/2).
"""
import json
import os

import numpy as np
import torch

import formats
from corpus import BOS, EOS, UNK
from model import Config, EagleHead, Llama

# GGUF name of each weight of a layer; the order is the order in the file.
LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6


def to_interleaved(matrix, heads):
    """Rows of each head from [first halves, second halves] to pairs side by side."""
    return matrix.reshape(heads, 2, -1, matrix.shape[1]).swapaxes(1, 2).reshape(matrix.shape)


def to_half_split(matrix, heads):
    return matrix.reshape(heads, -1, 2, matrix.shape[1]).swapaxes(1, 2).reshape(matrix.shape)


def token_types(tokenizer):
    for i in range(tokenizer.vocab_size()):
        yield (UNKNOWN if tokenizer.is_unknown(i) else CONTROL if tokenizer.is_control(i)
               else BYTE if tokenizer.is_byte(i) else NORMAL)


def metadata_of(config, name, tokenizer):
    vocab = range(tokenizer.vocab_size())
    s, u, f, b, a = (formats.STRING, formats.UINT32, formats.FLOAT32, formats.BOOL, formats.ARRAY)
    return [
        ("general.architecture", s, "llama"),
        ("general.type", s, "model"),
        ("general.name", s, name),
        ("general.license", s, "mit"),
        ("general.languages", a, (s, ["en"])),
        ("general.file_type", u, 7),  # mostly Q8_0
        ("general.quantization_version", u, 2),
        ("general.alignment", u, formats.ALIGNMENT),
        ("llama.block_count", u, config.layers),
        ("llama.context_length", u, config.context),
        ("llama.embedding_length", u, config.dim),
        ("llama.feed_forward_length", u, config.ffn),
        ("llama.attention.head_count", u, config.heads),
        ("llama.attention.head_count_kv", u, config.kv_heads),
        ("llama.attention.key_length", u, config.head_dim),
        ("llama.attention.value_length", u, config.head_dim),
        ("llama.attention.layer_norm_rms_epsilon", f, config.eps),
        ("llama.rope.dimension_count", u, config.head_dim),
        ("llama.rope.freq_base", f, config.rope_base),
        ("llama.vocab_size", u, config.vocab),
        ("tokenizer.ggml.model", s, "llama"),
        ("tokenizer.ggml.pre", s, "default"),
        ("tokenizer.ggml.tokens", a, (s, [tokenizer.id_to_piece(i) for i in vocab])),
        ("tokenizer.ggml.scores", a, (f, [tokenizer.get_score(i) for i in vocab])),
        ("tokenizer.ggml.token_type", a, (formats.INT32, list(token_types(tokenizer)))),
        ("tokenizer.ggml.bos_token_id", u, BOS),
        ("tokenizer.ggml.eos_token_id", u, EOS),
        ("tokenizer.ggml.unknown_token_id", u, UNK),
        ("tokenizer.ggml.add_bos_token", b, True),
        ("tokenizer.ggml.add_eos_token", b, False),
        ("tokenizer.ggml.add_space_prefix", b, False),
    ]


def export_llama(model, name, tokenizer, path):
    config = model.c
    weights = {n: p.detach().numpy() for n, p in model.named_parameters()}
    heads = {"attn_q": config.heads, "attn_k": config.kv_heads}
    tensors = [("token_embd.weight", weights["embed_tokens.weight"])]
    for i in range(config.layers):
        for gguf_name, torch_name in LAYER_NAMES.items():
            array = weights[f"layers.{i}.{torch_name}.weight"]
            if gguf_name in heads:
                array = to_interleaved(array, heads[gguf_name])
            tensors.append((f"blk.{i}.{gguf_name}.weight", array))
    tensors.append(("output_norm.weight", weights["norm.weight"]))
    formats.write_gguf(path, metadata_of(config, name, tokenizer), tensors)


def load_llama(path):
    """The model in a GGUF file, with its dequantised weights, frozen."""
    m, tensors = formats.read_gguf(path)
    config = Config(
        layers=m["llama.block_count"], dim=m["llama.embedding_length"],
        heads=m["llama.attention.head_count"], kv_heads=m["llama.attention.head_count_kv"],
        ffn=m["llama.feed_forward_length"], vocab=m["llama.vocab_size"],
        context=m["llama.context_length"], rope_base=m["llama.rope.freq_base"],
        eps=m["llama.attention.layer_norm_rms_epsilon"])
    heads = {"attn_q": config.heads, "attn_k": config.kv_heads}
    state = {"embed_tokens.weight": tensors["token_embd.weight"],
             "norm.weight": tensors["output_norm.weight"]}
    for i in range(config.layers):
        for gguf_name, torch_name in LAYER_NAMES.items():
            array = tensors[f"blk.{i}.{gguf_name}.weight"]
            if gguf_name in heads:
                array = to_half_split(array, heads[gguf_name])
            state[f"layers.{i}.{torch_name}.weight"] = array
    return frozen(Llama(config), state)


def export_eagle(head, folder):
    os.makedirs(folder, exist_ok=True)
    c = head.c
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "bias": True,
        "hidden_size": c.dim, "intermediate_size": c.ffn, "num_hidden_layers": 1,
        "num_attention_heads": c.heads, "num_key_value_heads": c.kv_heads,
        "vocab_size": c.vocab, "max_position_embeddings": c.context, "hidden_act": "silu",
        "rms_norm_eps": c.eps, "rope_theta": c.rope_base, "bos_token_id": BOS,
        "eos_token_id": EOS, "tie_word_embeddings": False, "torch_dtype": "float16"}
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f, indent=2)
        f.write("\n")
    formats.write_safetensors(os.path.join(folder, "model.safetensors"), {
        n: p.detach().numpy().astype(np.float16) for n, p in head.named_parameters()})


def load_eagle(folder):
    with open(os.path.join(folder, "config.json")) as f:
        j = json.load(f)
    config = Config(layers=1, dim=j["hidden_size"], heads=j["num_attention_heads"],
                    kv_heads=j["num_key_value_heads"], ffn=j["intermediate_size"],
                    vocab=j["vocab_size"], context=j["max_position_embeddings"],
                    rope_base=j["rope_theta"], eps=j["rms_norm_eps"])
    return frozen(EagleHead(config),
                  formats.read_safetensors(os.path.join(folder, "model.safetensors")))


def frozen(module, state):
    module.load_state_dict({n: torch.from_numpy(np.array(a)) for n, a in state.items()})
    return module.requires_grad_(False).eval()
