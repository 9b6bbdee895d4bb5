"""A small text classifier: TF-IDF and multinomial logistic regression, as numbers in JSON, predicted with NumPy.

scikit-learn fits it (``scripts/train_headline_classifier.py``); nothing of scikit-learn is needed to predict. Terms are
the stems of a text (a commodity's name is never one), and in the lexicon's word classes single words, neighbours and
next but one: "tight corn supply" is read like "shrinking oat stocks". For counts n_j of the terms,

    x_j = (1 + ln n_j) * idf_j,   x <- x / |x|,   p = softmax(W x + b),   score = p_bullish - p_bearish.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydra_assets.sentiment.lexicon import STOP, tokens, word_classes

FILE = Path(__file__).with_name("data") / "headline_classifier.json"
FORMAT = "hydra-tfidf-logistic-1"
CLASSES = ("bearish", "neutral", "bullish")
Floats = NDArray[np.float64]


class ModelFileError(ValueError):
    """A model file that cannot be used: damaged, of another format, or not what its digest says."""


@dataclass(frozen=True, slots=True)
class TextClassifier:
    """Weights: ``vocabulary`` term -> column, ``idf`` ``[v]``, ``coefficients`` ``[3, v]``, ``intercepts`` ``[3]``.

    Rows are ``CLASSES`` in order; ``sha256`` names the weights.
    """

    vocabulary: Mapping[str, int]
    idf: Floats
    coefficients: Floats
    intercepts: Floats
    sha256: str

    def probabilities(self, said: Sequence[Sequence[str]]) -> Floats:
        """Class probabilities ``[n, 3]`` of texts given as stems; a text without a known term gets the intercepts'.

        Each row is the same to the bit whatever else is in the batch.
        """
        rows, columns, values = self._entries(said)
        n = len(said)
        norms = np.sqrt(np.bincount(rows, values * values, n))
        values = values / np.where(norms > 0, norms, 1.0)[rows]
        logits = np.empty((n, len(CLASSES)))
        for k in range(len(CLASSES)):
            logits[:, k] = self.intercepts[k] + np.bincount(rows, values * self.coefficients[k, columns], n)
        raised = np.exp(logits - logits.max(axis=1, keepdims=True)) if n else logits
        total: Floats = raised[:, 0] + raised[:, 1] + raised[:, 2]
        return np.asarray(raised / total[:, None])

    def known(self, said: Sequence[Sequence[str]]) -> NDArray[np.bool_]:
        """Whether a text holds any term that the classifier was trained on, ``[n]``."""
        return np.bincount(self._entries(said)[0], minlength=len(said)) > 0

    def _entries(self, said: Sequence[Sequence[str]]) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        entries = [
            (row, self.vocabulary[term], count)
            for row, words in enumerate(said)
            for term, count in sorted(Counter(terms_of(words)).items())
            if term in self.vocabulary
        ]
        table = np.array(entries, dtype=np.int64).reshape(-1, 3)
        rows, columns = table[:, 0], table[:, 1]
        return rows, columns, (1 + np.log(table[:, 2].astype(np.float64))) * self.idf[columns]


def scores(probabilities: Floats) -> Floats:
    """p_bullish - p_bearish, ``[n]`` in [-1, +1]."""
    return np.asarray(probabilities[:, 2] - probabilities[:, 0])


def terms_of(said: Sequence[str]) -> list[str]:
    """Terms of a text given as stems: the stems, and its word classes alone, in twos and around one word."""
    classes = word_classes(said)
    pairs = [f"{a} {b}" for a, b in pairwise(classes)]
    around = [f"{a} _ {b}" for a, b in zip(classes, classes[2:], strict=False)]
    stems = [word for word in said if word != STOP]
    return [*stems, *(name for name in classes if name not in stems), *pairs, *around]


def analyse(text: str) -> list[str]:
    """Terms of a training text."""
    return terms_of(tokens(text))


def _digest(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def dump_classifier(terms: Sequence[str], idf: Floats, coefficients: Floats, intercepts: Floats, about: str) -> str:
    """JSON of a fitted classifier with its SHA-256: floats are written so that they read back to the bit."""
    body = {
        "format": FORMAT,
        "about": about,
        "classes": list(CLASSES),
        "terms": list(terms),
        "idf": idf.tolist(),
        "coefficients": coefficients.tolist(),
        "intercepts": intercepts.tolist(),
    }
    return json.dumps({**body, "sha256": _digest(body)}, ensure_ascii=True, indent=None, separators=(",", ":")) + "\n"


@cache
def load_classifier(path: Path = FILE) -> TextClassifier:
    """Read and verify a classifier.

    Raises
    ------
    ModelFileError
        The file is no classifier, its digest differs, or its shapes do not fit.
    """
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        stated = body.pop("sha256")
        computed = _digest(body)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(f"{path.name} is no classifier: {error!r}") from error
    if computed != stated:
        raise ModelFileError(f"{path.name}: its weights have digest {computed[:12]}, it says {str(stated)[:12]}")
    if body.get("format") != FORMAT or body.get("classes") != list(CLASSES):
        raise ModelFileError(f"{path.name}: format {body.get('format')!r} is not {FORMAT!r}")
    terms = body["terms"]
    idf, coefficients, intercepts = (np.array(body[k], np.float64) for k in ("idf", "coefficients", "intercepts"))
    fits = idf.shape == (len(terms),) and coefficients.shape == (3, len(terms)) and intercepts.shape == (3,)
    if not fits or not all(np.isfinite(a).all() for a in (idf, coefficients, intercepts)):
        raise ModelFileError(f"{path.name}: shapes do not fit or a weight is not finite")
    return TextClassifier({t: i for i, t in enumerate(terms)}, idf, coefficients, intercepts, computed)


EXTRA = "pip install 'hydra[transformer]'"
_SIDES = {"positive": 1.0, "bullish": 1.0, "neutral": 0.0, "negative": -1.0, "bearish": -1.0}
_DECIMALS = 6
_WEIGHTS = "model.safetensors"


class TransformerError(RuntimeError):
    """A transformer that cannot be used; the message says what to install or to put where."""


@dataclass(frozen=True, slots=True)
class TransformerScorer:
    """A sequence classifier with the labels positive, neutral and negative (or bullish, bearish).

    ``sides`` ``[labels]`` is +1, 0 or -1 per label; ``sha256`` names the weights' file.
    """

    tokenizer: Any
    model: Any
    torch: Any
    sides: tuple[float, ...]
    max_tokens: int
    sha256: str

    def scores(self, texts: Sequence[str]) -> Floats:
        """p_positive - p_negative of each text, ``[n]`` in [-1, +1].

        Each distinct text is read alone and its score rounded to six decimals: padding to the longest text of a batch
        moves the last bits, and a score must not depend on what else was asked.
        """
        found: dict[str, float] = {}
        for text in dict.fromkeys(texts):
            inputs = self.tokenizer(text, return_tensors="pt", truncation=True, max_length=self.max_tokens)
            with self.torch.no_grad():
                logits = np.asarray(self.model(**inputs).logits[0].tolist(), dtype=np.float64)
            raised = np.exp(logits - logits.max())
            found[text] = round(float(raised @ np.array(self.sides) / raised.sum()), _DECIMALS)
        return np.array([found[text] for text in texts], dtype=np.float64)


def load_transformer(directory: Path, max_tokens: int = 64) -> TransformerScorer:
    """Load a transformer from a local directory as ``save_pretrained`` writes it; nothing is downloaded or unpickled.

    Raises
    ------
    TransformerError
        The optional packages or the directory's files are missing, or its labels have no side.
    """
    weights = directory / _WEIGHTS
    missing = [name for name in ("config.json", _WEIGHTS) if not (directory / name).is_file()]
    if missing:
        raise TransformerError(
            f"{directory} holds no transformer: {' and '.join(missing)} missing. Put a sequence classifier there, "
            "saved with save_pretrained(directory) as safetensors, together with its tokenizer."
        )
    try:
        transformers, torch = import_module("transformers"), import_module("torch")
    except ImportError as error:
        raise TransformerError(f"reading {directory} needs transformers and torch: {EXTRA} ({error})") from error
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(directory), local_files_only=True)
        model, info = transformers.AutoModelForSequenceClassification.from_pretrained(
            str(directory), local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except Exception as error:  # the packages below raise errors of their own that only they export
        raise TransformerError(f"{directory} cannot be loaded: {error}") from error
    if info["missing_keys"]:
        # The package would fill them with random numbers and say so in a log.
        raise TransformerError(f"{directory} is no trained classifier: it lacks {sorted(info['missing_keys'])[:3]}")
    model.eval()
    labels = [str(model.config.id2label[i]).casefold() for i in range(len(model.config.id2label))]
    unknown = sorted(set(labels) - set(_SIDES))
    sides = tuple(_SIDES.get(label, 0.0) for label in labels)
    if unknown or not {1.0, -1.0} <= set(sides):
        raise TransformerError(f"{directory}: labels {labels} are not positive, neutral and negative")
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return TransformerScorer(tokenizer, model, torch, sides, max_tokens, digest)
