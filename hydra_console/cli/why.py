"""``hydra why``: one decision walked back, as a tree."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

TITLES = {
    "held": "held at the cutoff, and filled in the session",
    "orders": "orders of this cutoff, a person's for this session, and the risk gate's verdict",
    "target": "wanted position",
    "prediction": "the champion's probability",
    "divergence": "options against the crowd",
    "options": "what the options said",
    "quotes": "quotes",
    "report": "commitments of traders",
    "headlines": "headlines",
}
SHOWN_DIGITS = 12


def why(
    market: Annotated[str, typer.Argument(help="Market symbol, e.g. SIM_HE.")],
    session: Annotated[str, typer.Argument(help="Session at whose cutoff was decided, YYYY-MM-DD.")],
    json_out: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Walk a decision back: fills, orders, size, probability, features, options, quotes, reports.

    Each step names the partition that it was read from: digest, version of the table, run. `hydra verify` computes the
    digests again. Contributions are Shapley values in log-odds, of the very model that decided.
    """
    from hydra_console.cli.healing import print_json  # noqa: PLC0415
    from hydra_console.cli.output import UserError, parse_day, result  # noqa: PLC0415
    from hydra_console.cli.parts import parts_of_home  # noqa: PLC0415

    day = parse_day(session, "SESSION")
    if day is None:
        msg = "say which session, e.g. 2026-01-05"
        raise UserError(msg)
    parts = parts_of_home()
    from hydra_console.why import decision  # noqa: PLC0415

    found = decision(parts, market, day)
    if json_out:
        print_json(found)
    else:
        show(found, result())


def show(found: Mapping[str, Any], console: "Console") -> None:
    """Print a decision as a tree, the outcome first."""
    from rich.text import Text  # noqa: PLC0415
    from rich.tree import Tree  # noqa: PLC0415

    head = f"{found['market']} at the cutoff of {found['session']} ({found['cutoff']:%Y-%m-%d %H:%M} UTC)"
    tree = Tree(Text(f"{head}, account {found['account']}", style="bold"))
    for step in found["steps"]:
        branch = tree.add(Text(TITLES[step["name"]], style="bold"))
        for line in LINES[step["name"]](step["facts"]):
            branch.add(Text(line))
        for each in step["partitions"]:
            branch.add(Text(_partition(each), style="dim"))
    console.print(tree)


def _partition(each: Mapping[str, Any]) -> str:
    if each["delta_version"] is None and each["sha256"] is None:
        return f"{each['dataset']}: on no record"
    digest = each["sha256"][:SHOWN_DIGITS] if each["sha256"] else f"empty ({each['reason']})"
    return f"{each['dataset']}: {digest}, version {each['delta_version']}, run {each['run_id'][:8]}"


def _held(facts: Mapping[str, Any]) -> list[str]:
    word = {True: "the broker says the same", False: "THE BROKER SAYS OTHERWISE", None: "the broker was not asked"}
    lines = [
        f"{'holds ' + format(lots, '+d') if (lots := row['position_contracts']) else 'has left'} {row['contract']} "
        f"({word[row['position_agrees']]})"
        for row in facts["positions"]
    ]
    lines += [
        f"{row['side']} {row['quantity']} {row['contract']} at {row['fill_price']}, fee {row['fee']}, decided in "
        f"{row['ordered_session'] or 'no session of ours'}"
        for row in facts["fills"]
    ]
    return lines or ["nothing held, nothing filled"]


def _orders(facts: Mapping[str, Any]) -> list[str]:
    out = []
    for row in facts["orders"]:
        price = f" at {row['mean_price']:.6g}" if row["mean_price"] is not None else ""
        out.append(
            f"{row['side']} {row['quantity']} {row['contract']}, worst price {row['limit_price']}, for {row['motive']} "
            f"({row['algo']}): gate {row['gate_code']}; {row['status']} in {row['work_session']}"
            f"{': ' + row['reason'] if row['reason'] else ''}, {row['filled']} filled{price}"
        )
    return out or ["none: nothing was to be changed"]


def _target(facts: Mapping[str, Any]) -> list[str]:
    wanted = f"{facts['target_contracts']:+d} {facts['contract'] or ''}" if facts["target_reason"] else "no row"
    lines = [f"{wanted} ({facts['target_reason']}), at a settle of {facts['limit_reference']}"]
    if (sizes := facts["sizing"]) is not None:
        lines.append(
            f"Kelly share {_n(sizes['kelly_share'], '+.4f')} of {sizes['kelly_fraction']:.0%} staked on "
            f"{sizes['capital']:,.0f}: {_n(sizes['lots_uncapped'], '+.2f')} lots; at most "
            f"{_n(sizes['cap_margin_and_volatility'], '.2f')} by margin and volatility, "
            f"{_n(sizes['cap_volume_and_limit'], '.2f')} by volume and limit; size factor "
            f"{_n(sizes['size_factor'], '.2f')}: {_n(sizes['lots'], '+.0f')} lots"
        )
    exposure = "not observed" if facts["exposure"] is None else f"{facts['exposure']:.0%}"
    lines.append(
        f"exposure {exposure} (response {facts['response']}, cause {facts['cause']}, champion "
        f"{facts['champion_stage']} at {_n(facts['size_fraction'], '.0%')} of its size)"
    )
    if facts.get("agrees") is False:
        lines.append("SIZES COMPUTED ANEW SAY SOMETHING ELSE: the inputs have changed since it was decided")
    return lines


def _prediction(facts: Mapping[str, Any]) -> list[str]:
    if facts["probability_up"] is None:
        return [f"none: {facts['prediction_reason']}"]
    band = f"{_n(facts['probability_lower'], '.3f')} to {_n(facts['probability_upper'], '.3f')}"
    lines = [
        f"P(up) {facts['probability_up']:.4f} (90 %: {band}), base rate {facts['base_rate']:.4f}, over "
        f"{facts['horizon_sessions']} sessions ({facts['model_label']}); thesis gate {facts['thesis_gate']}",
        f"{facts['model_group']} version {facts['model_version']}, {facts['recipe']}, trained until "
        f"{facts['trained_until']}, sha256 {facts['model_sha256']}",
    ]
    if facts["masked"]:
        lines.append(f"taken for missing: {', '.join(facts['masked'])}")
    if facts["contributions"] is None:
        return [*lines, "this kind of model has no exact contributions"]
    lines += [
        f"{row['contribution']:+.4f}  {row['feature']} = {_n(row['value'], '.4g') or 'missing'}"
        for row in facts["contributions"]
    ]
    start, raw = facts["expected_log_odds"], facts["probability_raw"]
    return [*lines, f"{facts['others']:+.4f}  all others, from {start:+.4f}; before calibration P(up) {raw:.4f}"]


def _divergence(facts: Mapping[str, Any]) -> list[str]:
    figures = ("divergence_gap", "divergence_z", "options_z", "sentiment_z", "sentiment_score")
    gap, z, options, crowd, score = (_n(facts[name], "+.2f") or "none" for name in figures)
    direction = facts["divergence_direction"] or "no direction"
    return [
        f"{facts['divergence_type']}, {direction} ({facts['divergence_reason']}): gap {gap}, z {z}",
        f"options z {options}, sentiment z {crowd} (score {score} from {facts['sentiment_sources'] or 'nothing'})",
    ]


def _options(facts: Mapping[str, Any]) -> list[str]:
    grades = ", ".join(f"{count} of grade {grade}" for grade, count in facts["slices_by_grade"].items())
    reasons = f" ({facts['gate_reasons']})" if facts["gate_reasons"] else ""
    lines = [f"density gate {facts['gate_state']}{reasons}; slices: {grades or 'none'}"]
    for row in facts["moments"]:
        if row["atm_vol"] is None:
            lines.append(f"{row['tenor']}: none ({row['moments_reason']})")
        else:
            lines.append(
                f"{row['tenor']}: grade {row['grade']}, at the money {row['atm_vol']:.1%} a year, sd "
                f"{_n(row['sd'], '.4f')}, skew {_n(row['skew'], '+.3f')}, tilt {_n(row['tilt'], '+.4f')}"
            )
    return lines


def _quotes(facts: Mapping[str, Any]) -> list[str]:
    known = "none" if facts["newest_known_at"] is None else f"{facts['newest_known_at']:%Y-%m-%d %H:%M} UTC"
    left = ", ".join(f"{count} {reason}" for reason, count in facts["not_used"].items())
    return [
        f"{facts['records']} records from {', '.join(facts['sources']) or 'nobody'}, the newest known at {known}",
        f"{facts['used']} of {facts['quotes']} quotes used{'; not used: ' + left if left else ''}",
    ]


def _report(facts: Mapping[str, Any]) -> list[str]:
    out = []
    for row in facts["reports"]:
        known = "" if row["report_known_at"] is None else f", known at {row['report_known_at']:%Y-%m-%d %H:%M} UTC"
        out.append(f"{row['family']}, {row['scope']}: {row['coverage']}, of {row['report_date'] or 'no date'}{known}")
    return out or ["none was known"]


def _headlines(facts: Mapping[str, Any]) -> list[str]:
    count = facts["headline_count"] or 0
    score = _n(facts["headline_score"], "+.2f") or "none"
    lines = [f"score {score} from {count} headlines ({facts['headline_reason']}), {facts['in_session']} new"]
    return lines + [
        f"{row['known_at']:%m-%d %H:%M} {row['publisher'] or ''}: {row['title']}" for row in facts["newest"]
    ]


def _n(value: float | None, form: str) -> str:
    return "" if value is None else f"{value:{form}}"


LINES = {
    "held": _held,
    "orders": _orders,
    "target": _target,
    "prediction": _prediction,
    "divergence": _divergence,
    "options": _options,
    "quotes": _quotes,
    "report": _report,
    "headlines": _headlines,
}
