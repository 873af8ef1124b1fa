"""Wrong arguments: one exception each, of the right type, whose text names the argument and says what is right."""

import numpy as np
import pytest

import oracle
import rapt


@pytest.fixture
def qkv(rng):
    return oracle.random_qkv(rng, 2, 4, 2, 9, 21, 16)


def replaced(qkv, name, array):
    arrays = dict(zip("qkv", qkv))
    arrays[name] = array
    return arrays.values()


@pytest.mark.parametrize("function", [rapt.attention, rapt.explain])
@pytest.mark.parametrize("name", ["q", "k", "v"])
def test_kind_dtype_and_dimensions(qkv, function, name):
    good = dict(zip("qkv", qkv))[name]
    for wrong, error, text in [
        (good.astype(np.float64), TypeError, f"{name} has dtype float64; float32, bfloat16"),
        (good.astype(np.uint16), TypeError, f"{name} has dtype uint16; float32, bfloat16"),
        (good.astype(">f4"), TypeError, f"{name} has dtype >f4; float32, bfloat16"),
        (good.tolist(), TypeError, f"{name} is a list; it must be a numpy.ndarray or a torch.Tensor"),
        (None, TypeError, f"{name} is a NoneType; it must be a numpy.ndarray or a torch.Tensor"),
        (good.shape, TypeError, f"{name} is a tuple; it must be a numpy.ndarray or a torch.Tensor"),
        (np.ma.masked_array(good), TypeError,
         f"{name} is a numpy.ma.MaskedArray, whose mask rapt does not read; pass {name}.data, and what is to be hidden as mask="),
        (good[0], ValueError, f"{name} has 3 dimensions; it must have 4: [batch, heads, length, head_dim]"),
        (np.repeat(good, 2, axis=3)[..., ::2], ValueError, f"{name}'s last dimension has stride 2; it must be contiguous"),
        (good[..., ::-1], ValueError, f"{name}'s last dimension has stride -1; it must be contiguous"),
        (np.broadcast_to(good[..., :1], good.shape), ValueError, f"{name}'s last dimension has stride 0"),
    ]:
        with pytest.raises(error) as caught:
            function(*replaced(qkv, name, wrong))
        assert text in str(caught.value)


def test_strides_that_are_no_whole_elements(qkv):
    records = np.zeros(qkv[0].shape[:3], np.dtype([("row", "f4", 16), ("flag", "i1")]))
    with pytest.raises(ValueError, match="q has no DLPack view .* whole elements"):
        rapt.attention(records["row"], *qkv[1:])


@pytest.mark.parametrize(
    "shapes, text",
    [
        (((2, 4, 9, 16), (2, 2, 21, 12), (2, 2, 21, 16)), "k.shape[3] is 12, but q.shape[3] is 16"),
        (((2, 4, 9, 16), (3, 2, 21, 16), (3, 2, 21, 16)), "k.shape[0] is 3, but q.shape[0] is 2"),
        (((2, 4, 9, 16), (2, 2, 21, 16), (2, 2, 20, 16)), "v.shape[2] is 20, but k.shape[2] is 21"),
        (((2, 4, 9, 16), (2, 2, 21, 16), (2, 4, 21, 16)), "v.shape[1] is 4, but k.shape[1] is 2"),
        (((2, 4, 9, 16), (2, 3, 21, 16), (2, 3, 21, 16)), "q.shape[1] is 4, but k.shape[1] is 3"),
        (((2, 4, 9, 0), (2, 2, 21, 0), (2, 2, 21, 16)), "q.shape[3] is 0"),
    ],
)
def test_shapes_that_disagree(shapes, text):
    arrays = [np.zeros(shape, np.float32) for shape in shapes]
    for function in (rapt.attention, rapt.explain):
        with pytest.raises(ValueError) as caught:
            function(*arrays)
        assert text in str(caught.value)


def test_out(qkv):
    q, k, v = qkv
    out = np.zeros(q.shape, np.float32)
    frozen = out.copy()
    frozen.flags.writeable = False
    for wrong, error, text in [
        (frozen, ValueError, "out is read-only; it must be writable"),
        (out[:, :, :8], ValueError, "out.shape[2] is 8, but q.shape[2] is 9"),
        (out.astype(np.float64), TypeError, "out has dtype float64"),
        (out[..., ::-1], ValueError, "out's last dimension has stride -1"),
        (np.lib.stride_tricks.as_strided(out, out.shape, (0, *out.strides[1:])), ValueError, "out.strides[0] is 0"),
        (q, ValueError, "out overlaps q"),
        ([], TypeError, "out is a list"),
        (q.shape, TypeError, "out is a tuple; it must be a numpy.ndarray"),
        (np.ma.masked_array(out), TypeError, "out is a numpy.ma.MaskedArray"),
    ]:
        with pytest.raises(error) as caught:
            rapt.attention(q, k, v, out=wrong)
        assert text in str(caught.value)
    np.testing.assert_array_equal(out, 0)


@pytest.mark.parametrize(
    "options, error, text",
    [
        ({"causal": 1}, TypeError, "causal is 1; it must be False, True, 'top_left' or 'bottom_right'"),
        ({"causal": 0}, TypeError, "causal is 0; it must be False"),
        ({"causal": None}, TypeError, "causal is None"),
        ({"causal": "lower_right"}, ValueError, "causal is 'lower_right'; it must be False, True, 'top_left'"),
        ({"scale": "1"}, TypeError, "scale is '1'; it must be a number"),
        ({"scale": True}, TypeError, "scale is True"),
        ({"scale": float("nan")}, ValueError, "scale is nan; it must be finite"),
        ({"scale": float("-inf")}, ValueError, "scale is -inf; it must be finite"),
        ({"threads": 0}, ValueError, "threads is 0; it must be at least 1"),
        ({"threads": -3}, ValueError, "threads is -3; it must be at least 1"),
        ({"threads": 10**20}, ValueError, "threads is 100000000000000000000"),
        ({"threads": 100000}, ValueError, "threads is 100000; it must be at most 4096, or None"),
        ({"threads": 1.0}, TypeError, "threads is 1.0; it must be an integer"),
        ({"threads": True}, TypeError, "threads is True; it must be an integer"),
        ({"backend": "cuda"}, ValueError, "backend is 'cuda'; the backends are rapt, "),
        ({"backend": 5}, TypeError, "backend is 5; it must be a name such as 'rapt', or None"),
        ({"isa": "sse9"}, ValueError, "isa is 'sse9'; the levels are scalar"),
        ({"backend": "rapt\0"}, ValueError, r"backend is 'rapt\x00'; a name has no NUL and no lone surrogate in it"),
        ({"backend": "\ud800"}, ValueError, r"backend is '\ud800'; a name has no NUL"),
        ({"isa": "scalar\0"}, ValueError, r"isa is 'scalar\x00'; a name has no NUL"),
        ({"isa": "\udfff"}, ValueError, r"isa is '\udfff'; a name has no NUL"),
        ({"isa": 2}, TypeError, "isa is 2; it must be a name such as 'avx2'"),
    ],
)
def test_options(qkv, options, error, text):
    for function in (rapt.attention, rapt.explain):
        with pytest.raises(error) as caught:
            function(*qkv, **options)
        assert text in str(caught.value)


def test_none_is_the_default_backend(qkv):
    np.testing.assert_array_equal(rapt.attention(*qkv, backend=None), rapt.attention(*qkv))


def test_return_lse_and_stray_arguments(qkv):
    with pytest.raises(TypeError, match="return_lse is 1; it must be False or True"):
        rapt.attention(*qkv, return_lse=1)
    with pytest.raises(TypeError):
        rapt.attention(*qkv, None, "positional options are not taken")
    with pytest.raises(TypeError, match="dropout"):
        rapt.attention(*qkv, dropout=0.1)


def test_what_this_cpu_or_build_lacks_is_not_implemented(qkv):
    info = rapt.info()
    lacking = [{"isa": e["name"]} for e in info["isa_levels"] if not e["available"]]
    lacking += [{"backend": e["name"]} for e in info["backends"] if not e["available"]]
    if not lacking:
        pytest.skip("this CPU and build lack nothing")
    for options in lacking:
        with pytest.raises(NotImplementedError) as caught:
            rapt.attention(*qkv, **options)
        assert str(*options.values()) in str(caught.value)


def test_a_failed_call_leaves_no_trace(qkv):
    q, k, v = qkv
    expected = rapt.attention(q, k, v)
    with pytest.raises(ValueError):
        rapt.attention(q, k[:, :, :-1], v)
    np.testing.assert_array_equal(rapt.attention(q, k, v), expected)
