"""One rule per layout: what a file is, from its name and its first and last lines."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from hydra_assets.markets.contracts import contract_root
from hydra_assets.sources.base import Dataset
from hydra_assets.sources.feeds_items import POST

BARS, CHAINS = Dataset.FUTURES_BARS, Dataset.OPTION_CHAINS
BLOOMBERG_ROOTS = {"C": "ZC", "O": "ZO", "LC": "LE", "LH": "HE", "FC": "GF", "RR": "ZR", "DA": "DC", "LB": "LBS"}
PYSYSTEMTRADE_NAMES = {
    "LEANHOG": "HE",
    "OATIES": "ZO",
    "LIVECOW": "LE",
    "FEEDCOW": "GF",
    "CORN": "ZC",
    "RICE": "ZR",
    "ETHANOL": "EH",
    "MILK": "DC",
    "LUMBER": "LBS",
}
_LEAN = re.compile(r"^(?P<root>[a-z0-9]+)_(?:\d{4}_)?(?:quote|trade|openinterest)(?:_(?:american|european))?\.zip$")
_LEAN_DAY = re.compile(r"^\d{8}_(?:quote|trade|openinterest)(?:_(?:american|european))?\.zip$")


class Confidence(StrEnum):
    """How sure a guess is."""

    HIGH = "high"
    """The layout is one of a kind."""
    MEDIUM = "medium"
    """The layout fits, what it is of was guessed from a name."""


@dataclass(frozen=True, slots=True)
class Detected:
    """Files of one kind: a glob below the folder, the source and map that read them, and the markets they look like.

    ``markets`` are guesses; ``any_market`` says that the files serve every market (CFTC reports, headlines, posts).
    ``first`` and ``last`` are dates seen in names or first and last lines, where there are any.
    """

    files: str
    source: str
    map: str | None
    datasets: tuple[Dataset, ...]
    markets: tuple[str, ...]
    confidence: Confidence
    sentence: str
    any_market: bool = False
    scope: str | None = None
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """A file's path below the folder and the texts of its beginning and end."""

    path: str
    head: str
    tail: str

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def header(self) -> str:
        """First line, without a byte order mark."""
        return self.head.split("\n", 1)[0].strip().lstrip("\ufeff")

    def column(self, name: str) -> list[str]:
        """Texts of a column in the first lines."""
        lines = [line.rstrip("\r").split(",") for line in self.head.split("\n")[:-1]]
        if not lines or name not in lines[0]:
            return []
        index = lines[0].index(name)
        return [fields[index] for fields in lines[1:] if len(fields) > index]


def _pysystemtrade(s: Sample, by_root: dict[str, str]) -> Detected | None:
    if not s.header.startswith("DATETIME,CARRY,CARRY_CONTRACT,PRICE,PRICE_CONTRACT"):
        return None
    root = PYSYSTEMTRADE_NAMES.get(s.name.partition(".")[0], "")
    return _csv(s, "pysystemtrade", (BARS,), [root], by_root, "pysystemtrade multiple prices, three contracts a row")


def _schwartz(s: Sample, by_root: dict[str, str]) -> Detected | None:
    if not s.header.startswith("date,rank,contract,last_trade_date,settle"):
        return None
    roots = [BLOOMBERG_ROOTS.get(contract_root(c) or "", "") for c in s.column("contract")[:50]]
    return _csv(s, "schwartz97", (BARS,), roots, by_root, "settle, volume and open interest per nearness rank")


def _barchart(s: Sample, by_root: dict[str, str]) -> Detected | None:
    if not s.header.startswith("Symbol,Date,Open,High,Low,Close,Volume,Open Interest"):
        return None
    roots = [contract_root(c) or "" for c in s.column("Symbol")[:5]]
    return _csv(s, "barchart", (BARS,), roots, by_root, "Barchart daily history of single contracts")


def _crypto(s: Sample, by_root: dict[str, str]) -> Detected | None:
    if not s.header.startswith("snapshot_utc,exchange,underlying,instrument,expiry,strike,type"):
        return None
    exchange = next(iter(s.column("exchange")), "")
    if exchange not in {"deribit", "okx"}:
        return None
    # The coins of a snapshot follow one another, so the beginning may show one of them only.
    coins = [*s.column("underlying"), *re.findall(rf"{exchange},([A-Z]+),", s.tail)]
    datasets = (BARS, CHAINS) if exchange == "deribit" else (CHAINS,)
    return _csv(s, exchange, datasets, coins, by_root, f"{exchange} option chain snapshots")


def _henryhub(s: Sample, by_root: dict[str, str]) -> Detected | None:
    if not s.header.startswith("futures-expirationDate,tradeDate,options-priorSettle"):
        return None
    return _csv(s, "henryhub", (BARS, CHAINS), ["NG"], by_root, "Henry Hub European option settlements, whole board")


def _dce(s: Sample, by_root: dict[str, str]) -> Detected | None:
    if not re.match(r"Contract\t+Open\t+High\t+Low", s.header):
        return None
    roots = [re.sub(r"\d.*", "", line).upper() for line in s.head.split("\n")[1:] if re.match(r"[a-z]+\d{4}\t", line)]
    return _csv(s, "dce", (BARS,), roots, by_root, "Dalian exchange daily report")


def _plain(s: Sample, by_root: dict[str, str]) -> Detected | None:
    columns = s.header.split(",")
    if {"date", "contract", "settle", "volume", "open_interest"} <= set(columns):
        roots = [contract_root(c) or "" for c in s.column("contract")[:50]]
        named = roots if any(roots) else [s.name.partition(".")[0]]
        return _csv(s, "generic_prices", (BARS,), named, by_root, "a plain table of bars")
    if {"bar_start", "bar_minutes", "contract", "open", "high", "low", "close", "volume"} <= set(columns):
        roots = [contract_root(c) or "" for c in s.column("contract")[:50]]
        named = roots if any(roots) else [s.name.partition(".")[0]]
        return _csv(s, "generic_intraday", (Dataset.INTRADAY_BARS,), named, by_root, "a plain table of intraday bars")
    if {"date", "expiry", "strike", "right", "bid", "ask", "settle"} <= set(columns):
        return _csv(s, "generic_chain", (CHAINS,), [s.name.partition(".")[0]], by_root, "a plain option chain")
    return None


def _lean(s: Sample, by_root: dict[str, str]) -> Detected | None:
    parts = s.path.split("/")
    kind = next((part for part in ("future", "futureoption") if part in parts[:-1]), None)
    day = _LEAN_DAY.match(s.name)
    named = _LEAN.match(s.name) if day is None else None
    universe = "universes" in parts and re.match(r"^\d{8}\.csv$", s.name) is not None
    if kind is None or not (named or day or universe):
        return None
    # .../<kind>/<exchange>/<daily|minute|universes>/<root>/...
    below = parts[parts.index(kind) + 3 : -1]
    root = named["root"] if named is not None else below[0] if below else ""
    dataset = BARS if kind == "future" else CHAINS
    found = _csv(s, "lean", (dataset,), [root.upper()], by_root, "LEAN data folder")
    # Only the daily futures of all markets share one folder.
    name = f"{root}_*.zip" if named is not None and kind == "future" else "*" + s.name[s.name.rindex(".") :]
    return replace(found, files="/".join([*parts[:-1], name]))


def _cftc(s: Sample, _: dict[str, str]) -> Detected | None:
    header = s.header.replace("_", " ").lower()
    excel = s.name.lower().endswith(".xlsx") and re.search(r"cot|deacot|legacy|disagg", s.name.lower()) is not None
    archive = re.match(r"^(deacot|deahistfo|fut_disagg_txt_|com_disagg_txt_).*\.zip$", s.name.lower()) is not None
    if not (excel or archive or ("cftc contract market code" in header and "market and exchange names" in header)):
        return None
    combined = re.search(r"(annualof|deahistfo|^com_|^c_|comb)", s.name.lower()) is not None
    sentence = "CFTC commitments of traders, " + ("futures and options" if combined else "futures only")
    scope = None if archive else "combined" if combined else "futures_only"
    found = Detected(s.path, "cftc", None, (Dataset.COT_REPORTS,), (), Confidence.HIGH, sentence, any_market=True)
    return replace(found, scope=scope)


def _cme(s: Sample, by_root: dict[str, str]) -> Detected | None:
    if not s.header.startswith("BizDt,Sym,ID,StrkPx,SecTyp,MMY"):
        return None
    roots = [symbol.strip('"') for symbol in s.column("Sym")]
    symbols = tuple(dict.fromkeys(by_root[root] for root in roots if root in by_root))
    sentence = "CME clearing settlement file"
    return Detected(s.path, "cme_settlement", None, (BARS, CHAINS), symbols, Confidence.HIGH, sentence)


def _databento(s: Sample, by_root: dict[str, str]) -> Detected | None:
    if not s.name.endswith((".dbn", ".dbn.zst")):
        return None
    words = [word.upper() for word in re.split(r"[^A-Za-z0-9]+", s.name)]
    symbols = tuple(dict.fromkeys(by_root[word] for word in words if word in by_root))
    return Detected(s.path, "databento", None, (BARS, CHAINS), symbols, Confidence.MEDIUM, "Databento DBN file")


def _posts(s: Sample, _: dict[str, str]) -> Detected | None:
    columns = {column.strip().lower() for column in re.split(r"[\t,;]", s.header)}
    said = columns & set(POST.names["text"]) and columns & set(POST.names["author"])
    lines = s.name.endswith(".jsonl") and '"text"' in s.head and '"author"' in s.head and '"title"' not in s.head
    if not ((said and not columns & {"title", "headline"}) or lines):
        return None
    return Detected(s.path, "feeds", None, (Dataset.POSTS,), (), Confidence.MEDIUM, "social posts", any_market=True)


def _headlines(s: Sample, _: dict[str, str]) -> Detected | None:
    columns = {column.strip().lower() for column in re.split(r"[\t,;]", s.header)}
    titled = columns & {"title", "headline", "news"}
    dated = columns & {"date", "dates", "published", "first_seen", "time"}
    lines = s.name.endswith(".jsonl") and '"title"' in s.head
    if not ((titled and dated) or lines):
        return None
    sentence = "dated headlines"
    return Detected(s.path, "feeds", None, (Dataset.HEADLINES,), (), Confidence.MEDIUM, sentence, any_market=True)


def _csv(
    s: Sample, name: str, datasets: tuple[Dataset, ...], roots: list[str], by_root: dict[str, str], sentence: str
) -> Detected:
    symbols = tuple(dict.fromkeys(by_root[root] for root in roots if root in by_root))
    return Detected(s.path, "csv", name, datasets, symbols, Confidence.HIGH, sentence)


RULES: Sequence[Callable[[Sample, dict[str, str]], Detected | None]] = (
    _pysystemtrade,
    _schwartz,
    _barchart,
    _crypto,
    _henryhub,
    _lean,
    _cftc,
    _cme,
    _dce,
    _databento,
    _plain,
    _posts,
    _headlines,
)
