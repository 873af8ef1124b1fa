"""Wrong arguments beyond q, k, v and out: one exception each, of the right type, whose text names the argument."""

import numpy as np
import pytest

import oracle
import rapt

BATCH, HEADS, KV_HEADS, Q_LEN, KV_LEN, DIM = 2, 4, 2, 9, 21, 16


@pytest.fixture
def qkv(rng):
    return oracle.random_qkv(rng, BATCH, HEADS, KV_HEADS, Q_LEN, KV_LEN, DIM)


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


FLAGS = zeros(Q_LEN, KV_LEN, dtype=bool)
CASES = [
    ({"window": 5}, TypeError, "window is 5; it must be a pair (left, right)"),
    ({"window": (1, 2, 3)}, ValueError, "window has 3 elements; it must be a pair (left, right)"),
    ({"window": (1.5, 0)}, TypeError, "window[0] is 1.5; it must be an integer"),
    ({"window": (0, -2)}, ValueError, "window[1] is -2; it must be at least -1"),
    ({"mask": FLAGS.astype(np.int64)}, TypeError, "mask has dtype int64; bool, float32, bfloat16 and float16 are supported"),
    ({"mask": FLAGS.tolist()}, TypeError, "mask is a list; it must be a numpy.ndarray or a torch.Tensor"),
    ({"mask": FLAGS[:, :-1]}, ValueError, "mask.shape[3] is 20; it must be 21 (kv_len)"),
    ({"mask": FLAGS[:, :1]}, ValueError, "mask.shape[3] is 1; it must be 21 (kv_len)"),
    ({"mask": FLAGS[:-1]}, ValueError, "mask.shape[2] is 8; it must be 9 (q_len) or 1"),
    ({"mask": FLAGS[:, ::-1]}, ValueError, "mask's last dimension has stride -1; it must be contiguous"),
    ({"mask": FLAGS[None, None, None]}, ValueError, "mask has 5 dimensions; it must have at most 4: [batch, num_q_heads"),
    ({"mask": np.array(True)}, ValueError, "mask has 0 dimensions; it must have at most 4"),
    ({"bias": FLAGS}, TypeError, "bias has dtype bool; float32, bfloat16 and float16 are supported"),
    ({"bias": zeros(3, Q_LEN, KV_LEN)}, ValueError, "bias.shape[1] is 3; it must be 4 (query heads) or 1"),
    ({"alibi_slopes": [1.0] * 3}, ValueError, "alibi_slopes has shape [3]; it must be [4]"),
    ({"alibi_slopes": ["a"] * 4}, TypeError, "alibi_slopes has dtype <U1; it must hold real numbers"),
    ({"sinks": zeros(4, 1)}, ValueError, "sinks has shape [4, 1]; it must be [4]"),
    ({"sinks": [True] * 4}, TypeError, "sinks has dtype bool; it must hold real numbers"),
    ({"sinks": "four"}, TypeError, "sinks is 'four'; it must be an array or a list of numbers"),
    ({"softcap": 0}, ValueError, "softcap is 0; it must be positive, or None for none"),
    ({"softcap": float("inf")}, ValueError, "softcap is inf; it must be finite"),
    ({"softcap": 1e-60}, ValueError, "softcap is 1e-60; it must be a positive float"),
    ({"softcap": "50"}, TypeError, "softcap is '50'; it must be a number, or None for none"),
    ({"kv_lengths": [3, 22]}, ValueError, "kv_lengths[1] is 22; it is 0 to 21"),
    ({"kv_lengths": [3, -1]}, ValueError, "kv_lengths[1] is -1; it is 0 to 21"),
    ({"kv_lengths": [3, 4, 5]}, ValueError, "kv_lengths has shape [3]; it must be [2]"),
    ({"kv_lengths": [3.0, 4.0]}, TypeError, "kv_lengths has dtype float64; it must hold integers"),
    ({"kv_lengths": [[3], [4, 5]]}, TypeError, "kv_lengths is no array or list of integers"),
    ({"kv_lengths": [[3.5], [4, 5]]}, TypeError, "kv_lengths is no array or list of integers"),
    ({"kv_lengths": [2**64, 1]}, ValueError, "kv_lengths holds a number that does not fit in int64"),
    ({"kv_lengths": [2**70]}, ValueError, "kv_lengths holds a number that does not fit in int64"),
    ({"kv_lengths": [-(2**70), 1]}, ValueError, "kv_lengths holds a number that does not fit in int64"),
    ({"kv_lengths": 2**70}, ValueError, "kv_lengths holds a number that does not fit in int64"),
    ({"kv_lengths": [2**70, 1.5]}, TypeError, "kv_lengths has dtype"),
    ({"kv_lengths": np.ma.masked_array([3, 4], [True, False])}, TypeError,
     "kv_lengths is a numpy.ma.MaskedArray, whose mask rapt does not read; pass an array without one"),
    ({"q_documents": [[2**70] * 9] * 2, "k_documents": [0] * 21}, ValueError, "q_documents holds a number that does not fit in int32"),
    ({"kv_lengths": np.array([2**64 - 1, 1], np.uint64)}, ValueError, "kv_lengths holds a number that does not fit in int64"),
    ({"q_offsets": [2**50, 0]}, ValueError, "q_offsets[0] is 1125899906842624; at most 2^40"),
    ({"prefix_lengths": [2, 2], "window": (3, -1)}, ValueError, "prefix_lengths cannot be combined with window_left"),
    ({"cu_seqlens_q": [0, 9]}, ValueError, "cu_seqlens_q and cu_seqlens_k go together; one of them is None"),
    ({"cu_seqlens_q": [0, 9], "cu_seqlens_k": [0, 9, 21]}, ValueError, "cu_seqlens_k has shape [3]; it must be [2]"),
    ({"cu_seqlens_q": [0, 9], "cu_seqlens_k": [0, 21]}, ValueError, "q.shape[0] is 2; with cu_seqlens_q all sequences"),
    ({"block_mask": FLAGS}, TypeError, "block_mask is a ndarray; it must be a triple (array, block_q, block_kv)"),
    ({"block_mask": (FLAGS, 8)}, ValueError, "block_mask has 2 elements; it must be a triple"),
    ({"block_mask": (FLAGS, 0, 8)}, ValueError, "block_mask's block_q is 0; it must be at least 1"),
    ({"block_mask": (FLAGS, 4, 8)}, ValueError, "block_mask.shape[2] is 9; it must be 3 (ceil(q_len / block_mask_q))"),
    ({"block_mask": (zeros(3, 3), 4, 8)}, TypeError, "block_mask has dtype float32; bool is supported"),
    ({"q_documents": [0] * Q_LEN}, ValueError, "q_documents and k_documents go together; one of them is None"),
    ({"q_documents": [0] * 8, "k_documents": [0] * 21}, ValueError, "q_documents has shape [8]; it must be [2, 9]"),
    ({"q_documents": [2**40] * 9, "k_documents": [0] * 21}, ValueError, "q_documents holds a number that does not fit"),
    ({"tree_mask": zeros(Q_LEN, Q_LEN)}, TypeError, "tree_mask has dtype float32; it must be bool"),
    ({"tree_mask": FLAGS}, ValueError, "tree_mask has shape [9, 21]; it must be [2, 9, 9]"),
    ({"block_table": [[0], [1]]}, ValueError, "kv_lengths is None; with a block_table it says how many keys each batch has"),
    ({"block_table": [[[0]]], "kv_lengths": 21}, ValueError, "block_table has shape [1, 1, 1]; it must be [2, any]"),
    ({"block_table": [[0], [2]], "kv_lengths": 21}, ValueError, "block_table[1] is 2; there are 2 pages"),
    ({"block_table": [[0], [1]], "kv_lengths": 22}, ValueError, "kv_lengths[0] is 22, which takes 2 pages, but"),
    ({"k_scale": zeros(BATCH, KV_HEADS, KV_LEN)}, ValueError, "k_scale is given, but k is not RAPT_I8"),
    ({"k": zeros(BATCH, KV_HEADS, KV_LEN, DIM, dtype=np.int8)}, ValueError, "k_scale is not given, but k is RAPT_I8"),
    ({"v": zeros(BATCH, KV_HEADS, KV_LEN, DIM, dtype=np.int8), "v_scale": zeros(BATCH, KV_HEADS, KV_LEN, dtype=np.float16)},
     TypeError, "v_scale has dtype float16; float32 is supported"),
    # a tuple is no array, nor the shape of one
    ({"mask": (1, 1, 0, 0)}, TypeError, "mask is a tuple; it must be a numpy.ndarray or a torch.Tensor"),
    ({"mask": ((1, 1), (0, 0), (1, 0), (1, 1))}, TypeError, "mask is a tuple; it must be a numpy.ndarray"),
    ({"bias": (1, 2, 3, 4)}, TypeError, "bias is a tuple; it must be a numpy.ndarray"),
    ({"block_mask": ((0, 0, 0, 0), 8, 8)}, TypeError, "block_mask is a tuple; it must be a numpy.ndarray"),
    ({"k_scale": (BATCH, KV_HEADS, KV_LEN, 1)}, TypeError, "k_scale is a tuple; it must be a numpy.ndarray"),
    ({"v_scale": (BATCH, KV_HEADS, KV_LEN, 1)}, TypeError, "v_scale is a tuple; it must be a numpy.ndarray"),
    ({"q": (BATCH, HEADS, Q_LEN, DIM)}, TypeError, "q is a tuple; it must be a numpy.ndarray"),
    ({"return_weights": 1}, TypeError, "return_weights is 1; it must be False or True"),
]


@pytest.mark.parametrize("options, error, text", CASES, ids=[f"{i}-{next(iter(c[0]))}" for i, c in enumerate(CASES)])
def test_errors(qkv, options, error, text):
    arguments = dict(zip("qkv", qkv, strict=True)) | options
    for function in (rapt.attention, rapt.explain):
        with pytest.raises(error) as caught:
            function(**arguments)
        assert text in str(caught.value)


def test_ragged_takes_no_dense_arguments(rng):
    q, k, v = oracle.random_qkv(rng, 1, HEADS, KV_HEADS, Q_LEN, KV_LEN, DIM)
    ragged = {"cu_seqlens_q": [0, 4, Q_LEN], "cu_seqlens_k": [0, 6, KV_LEN]}
    for options, name in [
        ({"mask": FLAGS}, "mask"),
        ({"bias": zeros(1, KV_LEN)}, "bias"),
        ({"kv_lengths": [1, 2]}, "kv_lengths"),
        ({"tree_mask": zeros(Q_LEN, Q_LEN, dtype=bool)}, "tree_mask"),
        ({"return_weights": True}, "return_weights"),
    ]:
        with pytest.raises(ValueError, match=f"{name} cannot be combined with cu_seqlens_q"):
            rapt.attention(q, k, v, **ragged, **options)
    for starts, text in [([0, 5, 4], "cu_seqlens_k[2] is 4, less than"), ([1, 2, 3], "cu_seqlens_k[0] is 1; it must be 0"),
                         ([0, 5, 22], "cu_seqlens_k[2] is 22, but k.shape[2] is 21")]:
        with pytest.raises(ValueError) as caught:
            rapt.attention(q, k, v, **{**ragged, "cu_seqlens_k": starts})
        assert text in str(caught.value)


def test_onednn_refuses_by_name(qkv):
    (available,) = [b["available"] for b in rapt.info()["backends"] if b["name"] == "onednn"]
    if not available:
        pytest.skip("this build has no oneDNN")
    for options, name in [({"window": (3, 0)}, "window"), ({"softcap": 3}, "softcap"), ({"sinks": [0.0] * HEADS}, "sinks"),
                          ({"mask": FLAGS}, "masks"), ({"kv_lengths": 5}, "kv_lengths"), ({"return_weights": True}, "weights")]:
        for function in (rapt.attention, rapt.explain):
            with pytest.raises(NotImplementedError, match=name):
                function(*qkv, backend="onednn", **options)
