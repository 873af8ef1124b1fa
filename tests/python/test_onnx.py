"""ONNX's own cases of the operator Attention, collected from the package onnx when the tests run, against its outputs.

The package has each case twice: the operator, and its expansion into small operators ("_expanded", where no Attention is left).
The first are run, with the tolerances and the comparison of the package. NOT_APPLICABLE names those that cannot be, with why.
"""

import importlib
import warnings
from collections import Counter

import numpy as np
import onnx
import pytest
from onnx.backend.test.case import node as node_cases
from onnx.backend.test.runner import Runner

import onnx_adapter
import rapt

NAMED_CASES_IN_1_23 = 93
NOT_APPLICABLE = {}  # name: reason

INPUTS = ("Q", "K", "V", "attn_mask", "past_key", "past_value", "nonpad_kv_seqlen")


def named_cases():
    """What collect_testcases("Attention") of the package gives, without importing the modules of every other operator."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cases on the border of float16 warn while they are made
        importlib.import_module(f"{node_cases.__name__}.attention")
    cases = node_cases._NodeTestCases
    return {case.name: case for case in cases if [node.op_type for node in case.model.graph.node] == ["Attention"]}


CASES = named_cases()
BACKENDS = [b["name"] for b in rapt.info()["backends"] if b["available"] and b["name"] != "onednn"]  # that one has no masks
LEVELS = [level["name"] for level in rapt.info()["isa_levels"] if level["available"]]


def run_case(case, backend, isa):
    """Pairs (what rapt gives, what ONNX expects) for each output of the case."""
    (node,) = case.model.graph.node
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    want_qk = len(node.output) > 3 and node.output[3] != ""
    for given, expected in case.data_sets:
        arrays = iter(given)
        inputs = [next(arrays) if name else None for name in node.input]
        inputs += [None] * (len(INPUTS) - len(inputs))
        results = onnx_adapter.attention(inputs, onnx_adapter.Attributes(**attributes), want_qk, backend, isa)
        yield [result for name, result in zip(node.output, results, strict=False) if name], list(expected)


@pytest.mark.parametrize("name", sorted(CASES))
def test_case(name):
    if name in NOT_APPLICABLE:
        pytest.skip(NOT_APPLICABLE[name])
    case = CASES[name]
    for backend, isa in [(b, None) for b in BACKENDS] + [("rapt", level) for level in LEVELS]:
        for results, expected in run_case(case, backend, isa):
            Runner.assert_similar_outputs(expected, results, case.rtol, case.atol)


def test_count(capsys):
    """Every name counts: the package has what it had, and each case is run or named with a reason."""
    opsets = Counter(case.model.opset_import[0].version for case in CASES.values())
    unknown = set(NOT_APPLICABLE) - set(CASES)
    with capsys.disabled():
        listed = ", ".join(f"{count} of opset {opset}" for opset, count in sorted(opsets.items()))
        print(f"\nonnx {onnx.__version__}: {len(CASES)} named Attention cases ({listed}); {len(NOT_APPLICABLE)} cannot apply")
        for case_name, reason in sorted(NOT_APPLICABLE.items()):
            print(f"  {case_name}: {reason}")
    assert not unknown
    assert len(CASES) >= NAMED_CASES_IN_1_23


@pytest.mark.parametrize("attribute, value", [("is_causal", 1), ("left_window_size", 1), ("scale", 3.0), ("softcap", 0.5)])
def test_the_comparison_sees_a_wrong_attribute(attribute, value):
    """A case whose attribute is changed does not pass: the adapter hands attributes on, and the tolerance is tight enough."""
    case = CASES["test_attention_4d"]
    given, expected = case.data_sets[0]
    attributes = onnx_adapter.Attributes(**{attribute: value})
    results = onnx_adapter.attention([*given, None, None, None, None], attributes)
    with pytest.raises(AssertionError):
        Runner.assert_similar_outputs(list(expected), [results[0]], case.rtol, case.atol)
    assert np.isfinite(results[0]).all()


@pytest.mark.parametrize("dtype", [bool, np.float32])
def test_a_shorter_mask_hides_the_keys_it_lacks(dtype):
    """In ONNX's cases nonpad_kv_seqlen hides those keys too; here the mask alone does."""
    q, k, v = CASES["test_attention_4d"].data_sets[0][0]
    mask = np.full((q.shape[2], 4), 1, dtype)
    short = onnx_adapter.attention([q, k, v, mask, None, None, None], onnx_adapter.Attributes())[0]
    cut = onnx_adapter.attention([q, k[:, :, :4], v[:, :, :4], None, None, None, None], onnx_adapter.Attributes())[0]
    np.testing.assert_allclose(short, cut, rtol=1e-5)
