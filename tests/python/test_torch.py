"""PyTorch tensors: kinds of results, views, gradients and devices. Values are compared with NumPy's path bit for bit."""

import gc
import subprocess
import sys
import weakref

import numpy as np
import pytest

import oracle
import rapt

pytestmark = pytest.mark.full


@pytest.fixture
def torch():
    import torch

    return torch


@pytest.fixture
def qkv(torch, rng):
    return [torch.from_numpy(x) for x in oracle.random_qkv(rng, 2, 4, 2, 19, 37, 24)]


def test_tensors_give_tensors_with_the_same_bits(torch, qkv, isa, backend):
    for causal in (False, True, "top_left"):
        options = {"causal": causal, "isa": isa, "backend": backend, "return_lse": True}
        out, lse = rapt.attention(*qkv, **options)
        expected, expected_lse = rapt.attention(*(x.numpy() for x in qkv), **options)
        assert type(out) is torch.Tensor and type(lse) is torch.Tensor
        np.testing.assert_array_equal(out.numpy(), expected)
        np.testing.assert_array_equal(lse.numpy(), expected_lse)


def test_against_scaled_dot_product_attention(torch, qkv):
    expected = torch.nn.functional.scaled_dot_product_attention(*qkv, is_causal=True, enable_gqa=True)
    torch.testing.assert_close(rapt.attention(*qkv, causal="top_left"), expected, rtol=2e-6, atol=2e-6)


def test_views_and_out(torch, qkv):
    q, k, v = qkv
    expected = rapt.attention(q, k, v)
    stored = [x.transpose(1, 2).contiguous().transpose(1, 2) for x in qkv]
    assert stored[0].stride() != q.stride()
    torch.testing.assert_close(rapt.attention(*stored), expected, rtol=0, atol=0)
    buffer = torch.full((2, 19, 4, 30), 7.0)
    out = buffer[..., 3:27].transpose(1, 2)
    assert rapt.attention(q, k, v, out=out) is out
    torch.testing.assert_close(out, expected, rtol=0, atol=0)
    assert (buffer[..., :3] == 7).all() and (buffer[..., 27:] == 7).all()


def test_expanded_heads(torch, qkv):
    q, k, v = qkv
    expanded = [x[:, :1].expand(-1, 4, -1, -1) for x in (k, v)]
    assert expanded[0].stride(1) == 0
    torch.testing.assert_close(rapt.attention(q, *expanded), rapt.attention(q, k[:, :1], v[:, :1]), rtol=0, atol=0)


@pytest.mark.parametrize("batch, q_len, kv_len", [(0, 3, 4), (2, 0, 4), (2, 3, 0)])
def test_empty(torch, batch, q_len, kv_len):
    out, lse = rapt.attention(
        torch.ones(batch, 4, q_len, 8), torch.ones(batch, 2, kv_len, 8), torch.ones(batch, 2, kv_len, 5), return_lse=True
    )
    assert out.shape == (batch, 4, q_len, 5) and lse.shape == (batch, 4, q_len)
    assert (out == 0).all() and (lse == -torch.inf).all()


def test_every_output(torch, qkv):
    returned = {f"return_{name}": True for name in ("lse", "weights", "column_sums", "entropy", "max_score")}
    options = {"causal": True, "weight_heads": torch.tensor([2, 0], dtype=torch.uint8), "weight_rows": [3], **returned}
    results = rapt.attention(*qkv, **options)
    wanted = rapt.attention(*(x.numpy() for x in qkv), **{**options, "weight_heads": [2, 0]})
    for result, expected in zip(results, wanted, strict=True):
        assert isinstance(result, torch.Tensor)
        np.testing.assert_array_equal(result.numpy(), expected)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_append_and_merge(torch, qkv, dtype):
    q, k, v = qkv
    dtype = getattr(torch, dtype)
    k_pages, v_pages = (torch.full((5, k.shape[1], 16, x.shape[3]), torch.nan, dtype=dtype) for x in (k, v))
    table = torch.tensor([[4, 0], [2, 3]], dtype=torch.int32)
    at = [0, 0]
    for part in (slice(0, 5), slice(5, 6), slice(6, 20)):
        rapt.kv_append(k[:, :, part], v[:, :, part], k_pages, v_pages, table, torch.tensor(at))
        at = [part.stop] * 2
    out, lse = rapt.attention(q, k_pages, v_pages, block_table=table, kv_lengths=at, return_lse=True)
    wanted = rapt.attention(q, k[:, :, :20].to(dtype), v[:, :, :20].to(dtype))
    torch.testing.assert_close(out, wanted, rtol=0, atol=0)
    assert k_pages[1].isnan().all()
    rest, rest_lse = rapt.attention(q, k[:, :, 20:], v[:, :, 20:], return_lse=True)
    whole, whole_lse = rapt.merge(out, lse, rest, rest_lse)
    kept = [torch.cat((x[:, :, :20].to(dtype).float(), x[:, :, 20:]), dim=2) for x in (k, v)]
    truth, truth_lse = rapt.attention(q, *kept, return_lse=True)
    torch.testing.assert_close(whole, truth, rtol=4e-6, atol=4e-6)
    torch.testing.assert_close(whole_lse, truth_lse, rtol=4e-6, atol=4e-6)


def test_gradients(torch, qkv):
    q, k, v = qkv
    expected = rapt.attention(q, k, v)
    weight = torch.nn.Parameter(k)
    with pytest.raises(NotImplementedError, match=r"k requires grad, and rapt computes no gradients; .*k\.detach\(\)"):
        rapt.attention(q, weight, v)
    with torch.no_grad():
        out = rapt.attention(q, weight, v)
    assert not out.requires_grad
    torch.testing.assert_close(out, expected, rtol=0, atol=0)
    with torch.inference_mode():
        torch.testing.assert_close(rapt.attention(q.clone(), weight, v), expected, rtol=0, atol=0)


def test_tangents(torch, qkv):
    """Of forward-mode differentiation: they would be lost without a word."""
    q, k, v = qkv
    forward = torch.autograd.forward_ad
    expected = rapt.attention(q, k, v)
    for name in ("q", "k", "v", "mask", "sinks", "out"):
        arrays = {"q": q, "k": k, "v": v, "mask": torch.zeros(37), "sinks": torch.zeros(4), "out": torch.zeros_like(q)}
        with forward.dual_level():
            dual = arrays[name] = forward.make_dual(arrays[name], torch.ones_like(arrays[name]))
            with pytest.raises(NotImplementedError, match=rf"{name} has a tangent .*unpack_dual\({name}\)\.primal"):
                rapt.attention(**arrays)
            arrays[name] = forward.unpack_dual(dual).primal
            rapt.attention(**arrays)
            torch.testing.assert_close(rapt.attention(q, k, v, kv_lengths=torch.tensor([37, 37])), expected, rtol=0, atol=0)
    with pytest.raises(NotImplementedError, match="q has a tangent"):
        torch.func.jvp(lambda x: rapt.attention(x, k, v), (q,), (torch.ones_like(q),))


def test_autograd_hears_of_what_is_written(torch, qkv):
    q, k, v = qkv

    def written(call, *tensors):
        before = [x._version for x in tensors]
        call()
        return [x._version - n for x, n in zip(tensors, before, strict=True)]

    out = torch.zeros_like(q)
    weight = torch.ones_like(q, requires_grad=True)
    product = (weight * out).sum()
    assert written(lambda: rapt.attention(q, k, v, out=out), q, k, v, out) == [0, 0, 0, 1]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.backward()
    call = rapt.prepare(q, k, v, return_lse=True)
    assert written(call, *call()) == [1, 1]
    pages = [torch.zeros(6, 2, 16, 24, dtype=torch.int8) for _ in range(2)]
    scales = {name: torch.zeros(6, 2, 16) for name in ("k_scale", "v_scale")}
    table, lengths = torch.arange(6, dtype=torch.int32).reshape(2, 3), torch.zeros(2, dtype=torch.int64)
    assert written(lambda: rapt.kv_append(k, v, *pages, table, lengths, **scales), *pages, *scales.values(), k, v) == [1] * 4 + [0] * 2
    a, lse = rapt.attention(q, k, v, return_lse=True)
    assert written(lambda: rapt.merge(a, lse, out, lse.clone(), out=out, lse=lse), a, out, lse) == [0, 1, 1]
    with torch.inference_mode():  # whose tensors have no version
        made = torch.zeros_like(q)
        rapt.attention(q, k, v, out=made)
        inferred = rapt.prepare(q, k, v)
    torch.testing.assert_close(inferred(), made, rtol=0, atol=0)
    rapt.attention(q, k, v, out=made)


def test_numbers_that_no_tensor_holds(torch, qkv):
    with pytest.raises(ValueError, match="kv_lengths holds a number that does not fit in int64"):
        rapt.attention(*qkv, kv_lengths=[2**70, 1])


def test_errors(torch, qkv):
    q, k, v = qkv
    negated = torch.view_as_complex(torch.ones(2, 4, 19, 1, 2)).conj().imag
    assert negated.is_neg()
    for arrays, error, text in [
        ((q.double(), k, v), TypeError, "q has dtype float64; float32, bfloat16 and float16 are supported"),
        ((q, k.to(torch.uint8), v), TypeError, "k has dtype uint8; float32, bfloat16, float16 and int8 are supported"),
        ((q, k, v.numpy()), TypeError, "v is a numpy.ndarray, but the first array is from torch; all arrays must be of one kind"),
        ((q.numpy(), k, v), TypeError, "k is a torch.Tensor, but the first array is from numpy"),
        ((q.to("meta"), k, v), TypeError, "q is a torch.strided tensor on meta; it must be a strided tensor on the CPU"),
        ((q, k.to_sparse(), v), TypeError, "k is a torch.sparse_coo tensor on cpu; it must be a strided tensor"),
        ((negated, k[..., :1], v), ValueError, "q is a lazily negated view; it must be materialised: q.resolve_neg()"),
        ((q, k, v[0]), ValueError, "v has 3 dimensions; it must have 4"),
        ((q, k.mT.contiguous().mT, v), ValueError, "k's last dimension has stride 37; it must be contiguous"),
    ]:
        with pytest.raises(error) as caught:
            rapt.attention(*arrays)
        assert text in str(caught.value)
    for out, error, text in [
        (np.zeros(tuple(q.shape), np.float32), TypeError, "out is a numpy.ndarray, but the first array is from torch"),
        (q.clone()[:, :, :1].expand_as(q), ValueError, "out.strides[2] is 0"),
        (torch.zeros_like(q).requires_grad_(), NotImplementedError, "out requires grad"),
        (v, ValueError, "out overlaps v"),
    ]:
        with pytest.raises(error) as caught:
            rapt.attention(q, k, v, out=out)
        assert text in str(caught.value)


def test_references_end_with_the_call(torch, qkv):
    inputs = [x.clone() for x in qkv]
    out = rapt.attention(*inputs)
    watched = [weakref.ref(x) for x in inputs] + [weakref.ref(out)]
    del inputs, out
    gc.collect()
    assert [x() for x in watched] == [None] * 4


@pytest.mark.parametrize("first, second", [("torch", "rapt"), ("rapt", "torch")])
def test_either_import_order(torch, first, second):
    """Two OpenMP runtimes and two oneDNNs can meet in one process; whichever comes first, both libraries must work."""
    code = f"""
import {first}, {second}
x = torch.linspace(-1, 1, 2 * 4 * 200 * 64).reshape(2, 4, 200, 64)
expected = torch.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True)
for backend in [b["name"] for b in rapt.info()["backends"] if b["available"]]:
    torch.testing.assert_close(rapt.attention(x, x, x, causal=True, backend=backend, threads=2), expected)
    (x @ x.mT).sum()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0 and done.stderr == "", done.stderr
