"""The classifier against scikit-learn's own probabilities, its file against damage, the transformer's loading code."""

import hashlib
import importlib.util
import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hydra_assets.sentiment.lexicon import tokens
from hydra_assets.sentiment.text_classifier import (
    CLASSES,
    FILE,
    ModelFileError,
    TextClassifier,
    TransformerError,
    analyse,
    dump_classifier,
    load_classifier,
    load_transformer,
    scores,
    terms_of,
)

TEXTS = ["Corn rallies on tight supplies", "Oats slump", "rain rain rain", "Hogs unchanged; packers wait", "zzz", ""]


def said(*texts: str) -> list[list[str]]:
    return [tokens(text) for text in texts]


def script() -> ModuleType:
    path = FILE.parents[3] / "scripts" / "train_headline_classifier.py"
    spec = importlib.util.spec_from_file_location("train_headline_classifier", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def saved(path: Path, text: str) -> TextClassifier:
    path.write_text(text, encoding="utf-8")
    return load_classifier(path)


def test_by_hand(tmp_path: Path) -> None:
    # One known term, seen three times: x = (1 + ln 3) * 2, over its own length 1. Logits 0, 0.5, ln 2 + 1.
    terms, idf = ["rain"], np.array([2.0])
    text = dump_classifier(terms, idf, np.array([[0.0], [0.5], [1.0]]), np.array([0.0, 0.0, np.log(2)]), "by hand")
    found = saved(tmp_path / "m.json", text).probabilities([["rain", "rain", "rain"], ["snow"]])
    raised = np.array([1.0, np.exp(0.5), 2 * np.e])
    assert found[0] == pytest.approx(raised / raised.sum())
    # Nothing known: the intercepts alone, 1, 1 and 2 of 4.
    assert found[1] == pytest.approx([0.25, 0.25, 0.5])
    assert scores(found)[1] == pytest.approx(0.25)


def test_two_terms_by_hand(tmp_path: Path) -> None:
    coefficients = np.array([[0.0, 0.0], [0.0, 0.0], [5.0, 10.0]])
    text = dump_classifier(["rain", "snow"], np.array([3.0, 4.0]), coefficients, np.zeros(3), "by hand")
    # x = (3, 4) / 5; the logit is 5 * 0.6 + 10 * 0.8 = 11. Word classes and pairs are unknown terms.
    found = saved(tmp_path / "m.json", text).probabilities([["rain", "snow"]])
    assert found[0, 2] == pytest.approx(np.exp(11) / (np.exp(11) + 2))


def test_the_same_probabilities_as_scikit_learn(tmp_path: Path) -> None:
    train = script()
    vectoriser, model, text = train.fit(train.labelled(), train.generated())
    ours = saved(tmp_path / "model.json", text)
    texts = [text for _, text in train.labelled()] + TEXTS
    theirs = model.predict_proba(vectoriser.transform(texts))
    # The file rounds to eight decimals.
    assert np.abs(ours.probabilities(said(*texts)) - theirs).max() < 1e-6
    exact = dump_classifier(
        vectoriser.get_feature_names_out().tolist(), vectoriser.idf_, model.coef_, model.intercept_, "exact"
    )
    assert np.abs(saved(tmp_path / "exact.json", exact).probabilities(said(*texts)) - theirs).max() < 1e-14
    committed = load_classifier()
    assert list(committed.vocabulary) == list(ours.vocabulary)
    assert np.abs(committed.coefficients - model.coef_).max() < train.TOLERANCE
    assert committed.coefficients.std() > 0.1


def test_the_list_is_large_and_balanced_enough() -> None:
    labels = [label for label, _ in script().labelled()]
    assert len(labels) >= 150
    assert min(labels.count(name) for name in CLASSES) >= 50


def test_a_wrong_label_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("label,headline\nsideways,Corn waits\n")
    with pytest.raises(ValueError, match="sideways"):
        script().labelled(path)


def test_a_row_does_not_depend_on_its_batch() -> None:
    model = load_classifier()
    together = model.probabilities(said(*TEXTS))
    apart = np.concatenate([model.probabilities(said(text)) for text in TEXTS])
    assert together.tobytes() == apart.tobytes()
    assert together.sum(axis=1) == pytest.approx(np.ones(len(TEXTS)))
    assert model.probabilities([]).shape == (0, 3)


def test_it_has_learnt_something_the_templates_did_not_say() -> None:
    model = load_classifier()
    up, down = model.probabilities(said("Hogs gain on robust sales", "Hogs fall as glut grows"))
    assert up[2] > 0.5 > up[0]
    assert down[0] > 0.5 > down[2]


def test_terms() -> None:
    assert terms_of(tokens("Tight corn supply")) == [
        "tight", "commodity", "supply", "D-", "Q-", "D- commodity", "commodity Q-", "D- _ Q-",
    ]  # fmt: skip
    assert analyse("Tight corn supply") == analyse("TIGHT oats  supply")


def _changed(change: Callable[[dict[str, Any]], None], *, resign: bool) -> str:
    body = json.loads(FILE.read_text(encoding="utf-8"))
    change(body)
    if resign:
        body.pop("sha256", None)
        text = json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        body["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps(body)


@pytest.mark.parametrize(
    ("change", "resign", "message"),
    [
        (lambda b: b["idf"].__setitem__(0, 9.0), False, "digest"),
        (lambda b: b.pop("sha256"), False, "no classifier"),
        (lambda b: b["idf"].pop(), True, "shapes"),
        (lambda b: b["intercepts"].__setitem__(0, float("nan")), True, "finite"),
        (lambda b: b.__setitem__("format", "pickle"), True, "format"),
        (lambda b: b.__setitem__("classes", ["a", "b", "c"]), True, "format"),
    ],
)
def test_a_damaged_file_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], *, resign: bool, message: str
) -> None:
    with pytest.raises(ModelFileError, match=message):
        saved(tmp_path / "m.json", _changed(change, resign=resign))


@pytest.mark.parametrize("text", ["", "not json", "[]", "3"])
def test_what_is_no_model_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ModelFileError, match="no classifier"):
        saved(tmp_path / "m.json", text)
    with pytest.raises(ModelFileError, match="no classifier"):
        load_classifier(tmp_path / "missing.json")


LABELS = {0: "positive", 1: "negative", 2: "neutral"}


def directory(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    return tmp_path


def fake(
    monkeypatch: pytest.MonkeyPatch, labels: dict[int, str], missing: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """Stand-ins for both packages; returns the log of their calls. A text's logits are its length, 0 and 0."""
    asked: list[dict[str, Any]] = []

    def tokenizer(text: str, **options: Any) -> dict[str, Any]:
        asked.append({"text": text, **options})
        return {"text": text}

    class Model:
        config = SimpleNamespace(id2label=labels)

        def eval(self) -> None:
            asked.append({"eval": True})

        def __call__(self, text: str) -> SimpleNamespace:
            return SimpleNamespace(logits=[np.array([float(len(text)), 0.0, 0.0])])

    def from_pretrained(result: object) -> Callable[..., object]:
        def load(path: str, **options: Any) -> object:
            asked.append({"path": path, **options})
            return (result, {"missing_keys": set(missing)}) if options.get("output_loading_info") else result

        return load

    transformers = SimpleNamespace(
        AutoTokenizer=SimpleNamespace(from_pretrained=from_pretrained(tokenizer)),
        AutoModelForSequenceClassification=SimpleNamespace(from_pretrained=from_pretrained(Model())),
    )
    monkeypatch.setitem(sys.modules, "transformers", transformers)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(no_grad=nullcontext))
    return asked


def test_transformer_with_stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = fake(monkeypatch, LABELS)
    scorer = load_transformer(directory(tmp_path), max_tokens=32)
    assert asked == [
        {"path": str(tmp_path), "local_files_only": True},
        {"path": str(tmp_path), "local_files_only": True, "use_safetensors": True, "output_loading_info": True},
        {"eval": True},
    ]
    assert scorer.sides == (1.0, -1.0, 0.0)
    assert scorer.sha256 == hashlib.sha256(b"weights").hexdigest()
    # (e^2 - 1) / (e^2 + 2) for two letters, 0 for none; a text asked twice is read once.
    expected = (np.exp(2) - 1) / (np.exp(2) + 2)
    assert scorer.scores(["ab", "", "ab"]) == pytest.approx([expected, 0.0, expected], abs=5e-7)
    assert [call["text"] for call in asked[3:]] == ["ab", ""]
    assert asked[3]["truncation"] is True
    assert asked[3]["max_length"] == 32


def test_transformer_with_strange_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, {0: "LABEL_0", 1: "LABEL_1"})
    with pytest.raises(TransformerError, match="label_0"):
        load_transformer(directory(tmp_path))


def test_transformer_without_its_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, LABELS, ("classifier.weight",))
    with pytest.raises(TransformerError, match=r"no trained classifier.*classifier\.weight"):
        load_transformer(directory(tmp_path))


def test_transformer_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TransformerError, match=r"config\.json and model\.safetensors missing"):
        load_transformer(tmp_path)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(TransformerError, match=r"pip install 'hydra\[transformer\]'"):
        load_transformer(directory(tmp_path))


def test_transformer_for_real(tmp_path: Path) -> None:
    """A tiny BERT of random weights, written and read by the real packages."""
    transformers, torch = pytest.importorskip("transformers"), pytest.importorskip("torch")
    torch.manual_seed(1)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "corn", "rallies", "slumps", "on", "rain"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizerFast(vocab_file=str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        initializer_range=2.0, id2label=LABELS, label2id={name: i for i, name in LABELS.items()},
    )  # fmt: skip
    model = transformers.BertForSequenceClassification(config).eval()
    model.save_pretrained(tmp_path)
    scorer = load_transformer(tmp_path)
    texts = ["corn rallies", "corn slumps on rain", "corn rallies"]
    found = scorer.scores(texts)
    inputs = transformers.AutoTokenizer.from_pretrained(str(tmp_path))("corn slumps on rain", return_tensors="pt")
    chances = torch.softmax(model(**inputs).logits[0].detach(), 0).tolist()
    assert found[1] == pytest.approx(chances[0] - chances[1], abs=2e-6)
    assert found[0] == found[2] != found[1]
    assert found.tobytes() == np.concatenate([scorer.scores([text]) for text in texts]).tobytes()
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(TransformerError, match="cannot be loaded"):
        load_transformer(tmp_path)
    transformers.BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(TransformerError, match="no trained classifier"):
        load_transformer(tmp_path)
