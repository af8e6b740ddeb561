"""python run.py [DATA.npy]: what model.onnx says of raw examples; without DATA, of its own. Needs onnxruntime."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime


def load(content: bytes) -> Any:
    """A session of one thread for the bytes of model.onnx."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def answers(session: Any, raw: Any, kind: str) -> dict[str, Any]:
    """Outputs by name for `(b, *raw)` raw examples; `kind` is the type that model.json says."""
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"x": np.ascontiguousarray(raw, dtype=kind)}), strict=True))


def said(answer: Any, target: Mapping[str, Any]) -> str:
    """One predicted answer in words."""
    if target["kind"] in ("classification", "ordinal"):
        return str(target["names"][int(answer)])
    if target["kind"] == "multilabel":
        return ", ".join(name for name, told in zip(target["names"], answer, strict=True) if told) or "none"
    units = target["units"] or [""] * len(answer)
    each = zip(target["names"], answer, units, strict=True)
    return ", ".join(f"{name} {value:.4g} {unit}".strip() for name, value, unit in each)


if __name__ == "__main__":
    here = Path(__file__).parent
    facts = json.loads((here / "model.json").read_text(encoding="utf-8"))
    session, kind = load((here / "model.onnx").read_bytes()), facts["input"]["type"]
    if len(sys.argv) > 1:
        batches = [np.load(sys.argv[1], allow_pickle=False)]
    else:
        own = json.loads((here / "examples.json").read_text(encoding="utf-8"))
        batches = [np.array([each["input"]], dtype=np.float64) for each in own]
    for raw in batches:
        for answer in answers(session, raw, kind)["predicted"]:
            print(said(answer, facts["target"]))
