"""The sections of docs/results.md, one per claim: question, command, table, verdict, machine and date."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence

from alphaxenas.proxies import PROXIES
from alphaxenas.report.statistics import compare_many
from benchmarks import scale
from benchmarks.layout import (
    TABLES,
    Claim,
    Result,
    best_static,
    by_seed,
    differences,
    mean_queries,
    name,
    number,
    queries,
    table,
    verdicts,
    with_interval,
)
from benchmarks.pareto import BOUNDED, FRONTS, PRIORS
from benchmarks.recurrent_claims import RECURRENT_CLAIMS
from benchmarks.tables import STATIC


def pair(first: str, second: str) -> Callable[[Mapping[str, Result]], str]:
    """The body of a section that compares two methods on every table, corrected for the number of tables."""

    def body(results: Mapping[str, Result]) -> str:
        results = {key: result for key, result in results.items() if {first, second} <= result["values"].keys()}
        if not results:
            return "Not measured."
        rows = [
            [TABLES[key], *(mean_queries(result, one) for one in (first, second))] for key, result in results.items()
        ]
        sides = [{key: by_seed(queries(result, one)) for key, result in results.items()} for one in (first, second)]
        found = compare_many({(TABLES[key], first, second): (sides[0][key], sides[1][key]) for key in results})
        return f"{table(['table', name(first), name(second)], rows)}\n\n{verdicts(found)}"

    return body


def static_orders(results: Mapping[str, Result]) -> str:
    """Static orders and the two controllers of this project, corrected for all comparisons with the better order."""
    methods, rows, pairs = [*STATIC, "alphaxenas", "guided"], [], {}
    for key, result in results.items():
        rows.append([TABLES[key], *(mean_queries(result, one) if one in result["values"] else "-" for one in methods)])
        best = best_static(result)
        for method in [one for one in ("alphaxenas", "guided") if one in result["values"]]:
            sides = (by_seed(queries(result, one)) for one in (method, best))
            pairs[TABLES[key], method, best] = tuple(sides)
    ranked = [
        [TABLES[key], name(order), f"{one['tau']:.2f}", str(one["places"][0]), ", ".join(map(str, one["places"][1:]))]
        for key, result in results.items()
        for order, one in result["figures"]["methods"].items()
        if "places" in one
    ]
    parts = [table(["table", *map(name, methods)], rows), verdicts(compare_many(pairs))]
    if ranked:
        parts += [ORDERS, table(["table", "order", "Kendall's tau", "place of the best", "of the next nine"], ranked)]
    return "\n\n".join(parts)


ORDERS = (
    "How well the orders rank the whole table. Where an order meets the best architecture early though it ranks the "
    "table badly, and the next best stand far behind, it was luck: EC-NAS trained each cell once for 4 epochs, and "
    "its best one happens to be large. A search that learns from the others does not expect it there."
)


def all_methods(results: Mapping[str, Result]) -> str:
    """Queries of every method on every table, and GuidedSearch against each of them."""
    methods = list(next(iter(results.values()))["values"])
    rows = [
        [name(method), *(mean_queries(r, method) if method in r["values"] else "-" for r in results.values())]
        for method in methods
    ]
    goals = ["architectures that end a search"]
    goals += [f"{r['figures']['goals']} of {r['figures']['architectures']:,}" for r in results.values()]
    said = []
    for key, result in results.items():
        others = {method: queries(result, method) for method in result["values"] if not method.startswith("guided")}
        found = differences(others, queries(result, "guided"))
        groups = {
            "is shown to need fewer queries than": [one for one in found if found[one].shown and found[one].mean > 0],
            "is shown to need **more** than": [one for one in found if found[one].shown and found[one].mean < 0],
            "is not shown to differ from": [one for one in found if not found[one].shown],
        }
        parts = [f"{word} {', '.join(map(name, group))}" for word, group in groups.items() if group]
        said.append(f"- {TABLES[key]}: GuidedSearch {'; '.join(parts)}.")
    text = table(["method", *(TABLES[key] for key in results)], [*rows, goals])
    return f"{text}\n\nVerdict:\n\n" + "\n".join(said)


def validation(results: Mapping[str, Result]) -> str:
    """Mean test accuracy of what one training's validation accuracy selects."""
    (result,) = results.values()
    after = [key.removeprefix("report_") for key in result["values"]["random"] if key.startswith("report_")]
    rows = [
        [name(method), *(f"{with_two(found[f'report_{n}'])}" for n in after)]
        for method, found in result["values"].items()
    ]
    last = f"report_{after[-1]}"
    others = {method: found[last] for method, found in result["values"].items() if not method.startswith("guided")}
    found = differences(others, result["values"]["guided"][last])
    shown = [f"{name(method)} ({one.mean:+.2f})" for method, one in found.items() if one.shown]
    verdict = (
        f"After {after[-1]} queries, GuidedSearch is shown to differ from {', '.join(shown) or 'no other method'}"
        f"{' (points, the other minus GuidedSearch)' if shown else ''}. No other difference is shown."
    )
    best = f"Best mean test accuracy of the table: {result['figures']['best_report']:.2f} %."
    return table(["method", *(f"after {n}" for n in after)], rows) + f"\n\n{best}\n\nVerdict: {verdict}"


def with_two(values: Sequence[float]) -> str:
    """`mean [low, high]` with two digits after the point."""
    return with_interval(values, "{:.2f}".format)


def fronts(results: Mapping[str, Result]) -> str:
    """Shares of the hypervolume by method and device, with the queries that each may make."""
    methods = [method for method in FRONTS if any(method in result["values"] for result in results.values())]
    label = {"evolution": "NSGA-II", "guided": "expected hypervolume improvement"}

    def share(result: Result, method: str) -> str:
        values = result["values"].get(method, {}).get("share")
        return (
            "-"
            if values is None
            else f"{with_interval([100 * one for one in values], '{:.2f}'.format)} ({len(values)})"
        )

    rows = [
        [
            label.get(method, name(method)),
            f"{FRONTS[method]:,}",
            *(share(result, method) for result in results.values()),
        ]
        for method in methods
    ]
    return table(["method", "queries", *(key.removeprefix("pareto_front_") for key in results)], rows)


def bounds(results: Mapping[str, Result]) -> str:
    """Queries by method and device."""
    methods = [method for method in BOUNDED if any(method in result["values"] for result in results.values())]
    rows = [
        [name(method), *(mean_queries(one, method) if method in one["values"] else "-" for one in results.values())]
        for method in methods
    ]
    return table(["method", *(key.removeprefix("pareto_bound_") for key in results)], rows)


def priors(results: Mapping[str, Result]) -> str:
    """Queries by method and prior."""
    (result,) = results.values()
    methods = list(dict.fromkeys(label.rpartition(", ")[0] for label in result["values"]))
    kinds = [f"{kind} prior" for kind in PRIORS]
    rows = [[name(method), *(mean_queries(result, f"{method}, {kind}") for kind in kinds)] for method in methods]
    return table(["method", *kinds], rows)


def good_cell(results: Mapping[str, Result]) -> str:
    """Queries to any good cell, policy gradients against random search."""
    (result,) = results.values()
    rows = [
        [name(method), mean_queries(result, method), number(statistics.median(queries(result, method)))]
        for method in result["values"]
    ]
    others = [method for method in result["values"] if method != "reinforce"]
    ours = by_seed(queries(result, "reinforce"))
    found = compare_many({("", "reinforce", one): (ours, by_seed(queries(result, one))) for one in others})
    goals = f"{result['figures']['goals']} of {result['figures']['architectures']:,} architectures end a search."
    return f"{table(['method', 'mean queries', 'median'], rows)}\n\n{goals}\n\n{verdicts(found)}"


def chains(results: Mapping[str, Result]) -> str:
    """Regret on the stored table of chains."""
    (result,) = results.values()
    optimum = result["figures"]["optimum"]
    after = [key.removeprefix("best_") for key in result["values"]["random"] if key.startswith("best_")]
    regrets = {
        method: {n: [100 * (optimum - value) for value in found[f"best_{n}"]] for n in after}
        for method, found in result["values"].items()
    }
    rows = [[name(method), *(with_two(regret[n]) for n in after)] for method, regret in regrets.items()]
    found = differences(
        {method: regret[after[-1]] for method, regret in regrets.items() if method != "random"},
        regrets["random"][after[-1]],
    )
    shown = [name(method) for method, one in found.items() if one.shown]
    verdict = f"After {after[-1]} queries, shown to differ from random search: {', '.join(shown) or 'none'}."
    return table(["method", *(f"after {n}" for n in after)], rows) + f"\n\nVerdict: {verdict}"


def image_replay(results: Mapping[str, Result]) -> str:
    """What ratings of a pool are worth, and regret of searches that spend its measured seconds."""
    (result,) = results.values()
    figures, values = result["figures"], result["values"]
    rated = [[name(key), f"{one['tau']:.2f}", f"{one['seconds']:.2f} s"] for key, one in figures["ranking"].items()]
    marks = [f"{mark:,.0f} s" for mark in figures["marks"]]
    regrets = {method: [list(column) for column in zip(*by_seed.values())] for method, by_seed in values.items()}
    rows = [
        [name(method), *map(with_two, columns), f"{figures['methods'][method]['own']:.0f} s"]
        for method, columns in regrets.items()
    ]
    pairs = {
        (method, place): (by_seed(column), by_seed(regrets["random"][place]))
        for method, columns in regrets.items()
        for place, column in enumerate(columns)
        if method != "random"
    }
    believed = [
        [name(method), *("-" if tau is None else f"{tau:.2f}" for tau in one["tau"])]
        for method, one in figures["methods"].items()
        if any(tau is not None for tau in one.get("tau", ()))
    ]
    found, said = compare_many(pairs), []
    for place, mark in enumerate(marks):
        shown = {method: one.mean for (method, at), one in found.items() if at == place and one.shown}
        better = [name(method) for method, mean in shown.items() if mean < 0]
        worse = [name(method) for method, mean in shown.items() if mean > 0]
        said.append(f"- After {mark}: better {', '.join(better) or 'none'}; worse {', '.join(worse) or 'none'}.")
    return "\n\n".join(
        [
            table(["rating", "Kendall's tau", "seconds a cell"], rated),
            table(["method", *marks, "of which its own"], rows),
            "Kendall's tau of beliefs with the published accuracy over the cells that were untrained by then:",
            table(["method", *marks], believed),
            f"Shown to differ from random search, after correction for {len(found)} comparisons:",
            "\n".join(said),
            against_controls(regrets, marks),
        ]
    )


def against_controls(regrets: Mapping[str, list[list[float]]], marks: Sequence[str]) -> str:
    """AlphaXENAS' regret as a share of every control's, and whether the difference is shown.

    Args:
        regrets: Of every seed at every mark, by method.
        marks: What the marks are called.
    """
    ours = [method for method in regrets if method.startswith("alphaxenas")]
    controls = [method for method in regrets if method.startswith(("random", "ranked", "static"))]
    cases = [(one, control, place) for one in ours for control in controls for place in range(len(marks))]
    found = compare_many(
        {case: (by_seed(regrets[case[0]][case[2]]), by_seed(regrets[case[1]][case[2]])) for case in cases}
    )
    rows = []
    for one in ours:
        for control in controls:
            cells = []
            for place in range(len(marks)):
                share = statistics.fmean(regrets[one][place]) / max(statistics.fmean(regrets[control][place]), 1e-9)
                cells.append(f"{share:.2f}{' *' if found[one, control, place].shown else ''}")
            rows.append([name(one), name(control), *cells])
    text = (
        f"Regret of AlphaXENAS as a share of the controls'; * = the difference is shown, of {len(cases)} comparisons:"
    )
    return f"{text}\n\n{table(['method', 'control', *marks], rows)}" if rows else ""


def proxies(results: Mapping[str, Result]) -> str:
    """Rank correlations of zero-cost proxies with accuracy, ours beside the published values on the same cells."""
    (result,) = results.values()
    found, seconds = result["figures"]["methods"], result["figures"]["seconds"]
    rows = [
        [
            PROXIES[one].display if one in PROXIES else one,
            f"{each['tau']:.2f}",
            *(f"{each[key]:.2f}" if key in each else "-" for key in ("published", "agreement")),
            f"{seconds[one]:.2f}" if one in seconds else "-",
        ]
        for one, each in found.items()
    ]
    compared = {one: each["near"] for one, each in found.items() if "near" in each}
    far = [PROXIES[one].display if one in PROXIES else one for one, near in compared.items() if not near]
    verdict = f"{len(compared) - len(far)} of {len(compared)} are within 0.05 of the published values"
    verdict += f"; not {', '.join(far)}." if far else "."
    header = ["proxy", "ours with accuracy", "published with accuracy", "ours with published", "seconds a cell"]
    parts = [table(header, rows), f"{result['figures']['cells']} cells. {verdict}"]
    if "explained" in result["figures"]:
        parts.append(EXPLAINED.format(**result["figures"]["explained"]))
    return "\n\n".join(parts)


EXPLAINED = (
    "Why some differ. **Multiply-adds**: the published count adds 9 for every value of an average pool and 3 for every "
    "value of a normalised convolution, which are no multiply-adds; without them it lies off ours by {offsets} "
    "constant(s), over all cells. **Zen-score**: published are running variances after a few batches, ours are those "
    "of the batch, as in algorithm 1 of the paper. That is {zen_step:.2f} less for every batch normalisation; taken "
    "from ours, the two correlate by {zen_agreement:.2f} and ours with accuracy by {zen_tau:.2f}. **Fisher** depends "
    "on the initial scale of layers that no normalisation follows (shortcuts of reductions, classifier): ours is He's, "
    "published PyTorch's default."
)
"""Of `benchmarks.proxies.explained`."""


_SPEEDS = (
    ("import_time", "`import alphaxenas`", "{seconds:.4f} s; limit {limit_seconds} s"),
    ("tree_speed", "simulations per second, tree alone", "{simulations_per_second:,}"),
    ("step_time", "training step of a random child, median", "{step_ms_median:.0f} ms"),
    ("step_time", "its share of the machine's own rate", "{share_of_machine_median:.0%}"),
    ("step_time", "training step of the published cell", "{known_step_ms:.0f} ms ({cell})"),
    ("step_time", "its share of the machine's own rate", "{known_share_of_machine:.0%}"),
    ("step_time", "tracing of a child, share of an epoch of 13,500 images", "{first_step_share_median:.1%}"),
    ("language_step", "step of a recurrent cell against Keras's LSTM, slowest cell", "{worst_ratio:.2f} times"),
    ("language_step", "share of the softmax in it", "{softmax_share:.0%}"),
    ("memory", "memory growth after the first 50 children", "{growth_mib:+.1f} MiB ({children} children)"),
    ("input_pipeline", "augmented images per second", "{images_per_second[crop_flip]:,}"),
    (
        "image_folder",
        "PNG images per second, first reading of a folder of {images:,}",
        "{images_per_second:,} ({images_per_cpu_second:,} a second of one core); {peak_memory_mib:,} MiB; "
        "training waits {wait_share_later:.1%} of later epochs",
    ),
    (
        "roofline",
        "training step of a plain convolution net in float32, whitening trained and frozen: share of the machine's "
        "convolution rate",
        "{step_float32_share_of_convolution_float32:.0%} and {frozen_float32_share_of_convolution_float32:.0%} of "
        "{convolution_float32_gflops:.0f} GFLOP/s, batch {batch}",
    ),
    (
        "roofline",
        "images a second of it, float32 and bfloat16; the share that drawing the data takes",
        "{frozen_float32_images_per_second:.0f} and {frozen_bfloat16_images_per_second:.0f}; {data_share:.1%}",
    ),
)


def speeds(results: Mapping[str, Result]) -> str:
    """Times and memory, one row each."""
    rows = [[title, form.format_map(results[key]["figures"])] for key, title, form in _SPEEDS if key in results]
    return table(["what", "measured"], rows)


def cifar10_cpu(results: Mapping[str, Result]) -> str:
    """Networks of the profile cifar10-cpu: minutes, price, accuracy with and without views."""
    rows = []
    for result in results.values():
        found = result["figures"]
        rows.append(
            [
                f"`{found['architecture']}`",
                str(found["seed"]),
                f"{found['search_minutes']:.1f} and {found['training_minutes']:.1f}",
                f"{found['parameters'] / 1e6:.2f} and {found['multiply_adds'] / 1e6:.0f} million",
                f"{found['validation_accuracy']:.2%}",
                f"{found['test_accuracy']:.2%}",
                f"{found['test_accuracy_of_views']:.2%}",
            ]
        )
    minutes, size = "minutes of search and of training", "parameters and multiply-adds"
    return table(["net", "seed", minutes, size, "validation", "test, one view", "test, six views"], rows)


def decoder(results: Mapping[str, Result]) -> str:
    """How many unseen architectures NAO's decoder writes without a fault."""
    found = results["nao_reconstruction"]["figures"]
    rows = [
        ["architectures trained on", f"{found['trained_on']:,}"],
        ["unseen architectures written without a fault", f"{found['exact']:.1%} of {found['measured_on']:,}"],
        ["decoded sequences that are legal", f"{found['of_them_legal']} of {found['decoded_after_steps']}"],
        ["processor time", f"{found['cpu_seconds']:.0f} s"],
    ]
    return table(["what", "measured"], rows)


def faults(results: Mapping[str, Result]) -> str:
    """Faults by kind, what they cost, and the seconds to continue."""
    if not results:
        return "Not measured."
    result = results["faults"]
    found, digits = result["figures"], result["values"]["seconds_on_digits"]
    kinds = list(found["by_kind"].items())
    half = (len(kinds) + 1) // 2
    rows = [
        [text for kind, count in pair for text in (kind, str(count))]
        for pair in zip(kinds[:half], kinds[half:] + [("", "")])
    ]
    lost = [found[name] for name in ("lost_trials", "unreadable_states", "differing_journals")]
    again, target = found["seconds_to_continue"], found["target_seconds"]
    slow = max(digits, default=0.0)
    said = (
        f"{found['faults']:,} faults: {lost[0]} finished trials lost, {lost[1]} states that could not be read, "
        f"{lost[2]} journals that differ. {found['trained_again']} finished trials were trained again, all of them "
        f"lines or checkpoints that a fault had destroyed. To the next training it took {again['median']} s in the "
        f"median and {again['most']} s at most, kernels included. On digits, after SIGKILL and "
        f"with the import of TensorFlow, {' / '.join(f'{seconds:.1f}' for seconds in digits)} s to the next trained "
        f"child (target: {target:.0f})."
    )
    verdict = "holds" if not any(lost) and slow < target else "does **not** hold"
    return f"{table(['fault', 'times', 'fault', 'times'], rows)}\n\n{said}\n\nVerdict: {verdict}."


def long_run(results: Mapping[str, Result]) -> str:
    """Files, memory and readers of simulated runs, and what controllers cost that know much."""
    if not results:
        return "Not measured."
    figures = results["long_run"]["figures"]
    runs = figures["runs"]
    lines = {
        "minutes to simulate": "minutes",
        "memory after 2,000 trials, MiB": "mib_after_2000",
        "memory at the end, MiB": "mib_at_the_end",
        "journal, MB": "journal_mb",
        "event file, MB": "events_mb",
        "executed notebook, MB": "notebook_mb",
        "looks at the notebook while it ran": "looks",
        "of them at no valid JSON": "looks_that_found_no_notebook",
        "checkpoints, share of the four days": "checkpoint_share_of_four_days",
        "TensorBoard's reader, s": "tensorboard_seconds",
        "runs in TensorBoard": "tensorboard_runs",
        "notebook 05 reads, s": "notebook_05_reads_in_seconds",
        "notebook 05 reads and draws, s": "notebook_05_reads_and_draws_in_seconds",
        "`alphaxenas status`, s": "status_seconds",
    }
    rows = [[label, *(f"{run[key]:,g}" for run in runs)] for label, key in lines.items()]
    known = [f"{count:,}" for count in figures["learned"]]
    costs = [
        [
            name(method),
            *(f"{value:g}" for key in ("proposal_seconds", "state_mb", "state_seconds") for value in cost[key]),
        ]
        for method, cost in figures["costs"].items()
    ]
    header = [f"{what}, {count} known" for what in ("proposal, s", "state, MB", "packing it, s") for count in known]
    head = ["", *(f"{run['trials']:,} trials" for run in runs)]
    return f"{table(head, rows)}\n\n{table(['controller', *header], costs)}"


def synthetic(results: Mapping[str, Result]) -> str:
    """AlphaXENAS and random search on a made-up objective."""
    found, rows = results["search_synthetic"]["figures"], []
    for key, title in (("best_final", "true value of the best final"), ("last_quarter", "mean of the last quarter")):
        one = found[key]
        low, high = (f"{100 * bound:+.1f}" for bound in one["interval_95"])
        verdict = "shown" if one["shown"] else "not shown"
        values = [f"{100 * one[side]:.1f}" for side in ("alphaxenas", "random_search")]
        rows.append([title, *values, f"{100 * one['gain']:+.1f} [{low}, {high}]", verdict])
    return table(["points", "AlphaXENAS", "random search", "difference", "verdict"], rows)


def rivals(results: Mapping[str, Result]) -> str:
    """Other libraries' methods and ours at the same cap, with the share of searches that met the goal."""
    rows = []
    for key, result in results.items():
        if not key.startswith("rivals_"):
            continue
        study, cap = key.removeprefix("rivals_"), result["figures"]["cap"]
        sides = {one: (queries(result, one), found["found"]) for one, found in result["values"].items()}
        for method in ("guided", "guided:without=flow", *STATIC, "random"):
            if method in results.get(study, {"values": {}})["values"]:
                numbers = queries(results[study], method)
                sides[method] = [min(number, cap) for number in numbers], [number <= cap for number in numbers]
        for method, (numbers, found) in sides.items():
            shown = [with_interval(numbers), f"{statistics.fmean(found):.0%}", str(len(numbers))]
            rows.append([TABLES[study], name(method), *shown])
    return table(["table", "method", "mean queries, at most the cap", "found", "seeds"], rows)


def two_workers(results: Mapping[str, Result]) -> str:
    """Trials a minute of two workers and of one process."""
    found = results["ray_workers"]["figures"]
    rows = [["1", f"{found['trials_per_minute_of_one']:.1f}"], ["2", f"{found['trials_per_minute_of_two']:.1f}"]]
    met = "met" if found["times"] >= found["goal"] else "missed"
    return f"{table(['workers', 'trials a minute'], rows)}\n\n{found['times']:.2f} times; goal {found['goal']}: {met}."


CLAIMS = (
    Claim(
        "Does the tree help GuidedSearch?",
        "GuidedSearch plans inside a surrogate. Both columns use the same surrogate and the same number of "
        "simulated walks; one keeps a tree of them, the other does not. In spaces as small as these the default looks "
        "at every architecture instead.",
        pair("guided:plan=tree", "guided:plan=rollouts"),
    ),
    Claim(
        "Does the learned policy help AlphaXENAS?",
        "Both columns are AlphaXENAS; the second replaces the move probabilities of the LSTM by equal ones.",
        pair("alphaxenas", "alphaxenas:prior=uniform"),
    ),
    Claim(
        "Does learning beat a fixed order?",
        "A static order learns nothing: it tries the architectures with most parameters first, or the deepest. It "
        "costs no training, so every search has to beat it. The verdicts compare with the better of the two "
        "orders on each table.",
        static_orders,
    ),
    Claim(
        "Is AlphaXENAS better than random search?",
        "On tables, where a query costs nothing. On images it is **not shown**, see the last section.",
        pair("alphaxenas", "random"),
    ),
    Claim(
        "How many queries until the goal?",
        "Mean number of evaluated architectures, the last one included, with its 95 % interval over seeds. The "
        "goal is the architecture of the best accuracy; on NAS-Bench-101 it is the best 0.1 % of a sample. On "
        "NAS-Bench-201 the searches see mean test accuracy, as in the publications that count queries; the next "
        "section uses a realistic signal. One configuration of each method for all tables; a search that fails "
        "counts as the cap. The constants of GuidedSearch were chosen while looking at these tables.",
        all_methods,
    ),
    Claim(
        "What would other libraries need?",
        "Optuna's TPE (multivariate) and Gaussian processes and Syne Tune's regularised evolution, with their "
        "defaults, on the same tables with the same goal; every search ends at 300 queries, and one that fails counts "
        "as 300. They see one category per edge and nothing else; GuidedSearch and the static orders see size and "
        "depth, GuidedSearch without size and depth sees the operations on edges and paths. They run in an environment "
        "of their own (benchmarks/rivals/requirements.txt). The GPSampler has fewer seeds: its next search was still "
        "running when the measurement had to stop, so its mean is rather too low.",
        rivals,
        ("rivals_nasbench201_cifar10", "rivals_nasbench201_cifar100", "nasbench201_cifar10", "nasbench201_cifar100"),
    ),
    Claim(
        "What does a search find when it sees the validation accuracy of one training?",
        "NAS-Bench-201, CIFAR-10: the search sees the validation accuracy of one training; given is the mean test "
        "accuracy of the architecture that it would choose, in percent.",
        validation,
        ("nasbench201_validation",),
    ),
    Claim(
        "Do policy gradients find good cells?",
        "NAS-Bench-201, CIFAR-10: queries until a cell of at least 94.0 % mean test accuracy.",
        good_cell,
        ("nasbench201_good_cell",),
    ),
    Claim(
        "Does a search for two objectives find the front?",
        "NAS-Bench-201 with latencies measured on two devices (HW-NAS-Bench): mean test accuracy on CIFAR-10 against "
        "latency. Given is the share of the table's hypervolume, measured from the worst value of each, that is found "
        "after all queries of a method, in percent, and the seeds.",
        fronts,
        ("pareto_front_pixel3", "pareto_front_edgegpu"),
    ),
    Claim(
        "How many queries does the best architecture below a latency bound take?",
        "The same tables; only architectures that take at most a quarter of the largest latency are looked at.",
        bounds,
        ("pareto_bound_pixel3", "pareto_bound_edgegpu"),
    ),
    Claim(
        "Does a search use what a user knows, and forget what is wrong?",
        "NAS-Bench-201, CIFAR-10: queries until the most accurate cell, without a prior on the operations, with a good "
        "one (how often each is found in the 100 best cells on CIFAR-100) and with its opposite.",
        priors,
        ("pareto_prior",),
    ),
    Claim(
        "Are the zero-cost proxies those that were published?",
        "Kendall's tau on random cells of NAS-Bench-201 with the mean test accuracy on CIFAR-10 after 200 epochs: our "
        "proxies on our networks before training, and the values that NAS-Bench-Suite-Zero published for the same "
        "cells. Weights and batches differ, so the two can agree in rank only. Size and depth cost nothing; a proxy "
        "has to beat them.",
        proxies,
        ("proxies",),
    ),
    Claim(
        "Which search is best on chains of layers?",
        "The 1,296 chains of titu1994's space, each trained once on CIFAR-10 at a small budget (stored as "
        "`exp/reference-chain-table`): how far the best found lies below the best of all, in points.",
        chains,
        ("chains",),
    ),
    Claim(
        "What is the best search on images, at equal seconds?",
        "A pool of random NAS-Bench-201 cells, each really trained on CIFAR-10 at two small budgets (8 channels, three "
        "cells, 16x16 pixels): the rank correlation of every rating with the published 200-epoch accuracy, then the "
        "regret in published points of the cell that a search chooses after so many seconds of one core (3,600: 30 "
        "minutes of two). Searches spend the measured seconds of their trainings and proxies, and their own. The "
        "choice is by the belief of a search, where it has one, else by the highest reward. The pool is small: after "
        "1,200 seconds all searches have trained all of it, and differ in the choice alone. How much the belief trusts "
        "rewards was chosen while looking at this pool.",
        image_replay,
        ("image_truth_replay",),
    ),
    Claim(
        "How good is a network on CIFAR-10 after minutes on two cores?",
        "Profile `cifar10-cpu`, 45,000 training images: the hand-made net `airbench93` with the recipe and the price "
        "of the final training, stored with its trained network as `exp/reference-airbench93`; then the net that the "
        "profile's own search finds. That search is **not good yet**: in the only one that was watched, children "
        "trained for seconds spoke for a net far too small for the minutes of the final training, which was given up "
        "early.",
        cifar10_cpu,
        ("cifar10_cpu_airbench93", "cifar10_cpu_searched"),
    ),
    Claim(
        "Does AlphaXENAS find what it looks for on a made-up objective?",
        "A synthetic objective with noise: a check of the search, not a result about networks.",
        synthetic,
        ("search_synthetic",),
    ),
    Claim(
        "How well does NAO's decoder write architectures?",
        "Encoder, predictor and decoder learn from random cell pairs of ENAS' micro space; unseen pairs are measured.",
        decoder,
        ("nao_reconstruction",),
    ),
    *RECURRENT_CLAIMS,
    Claim(
        "What do many workers cost?",
        "Simulated workers under the real coach, and searches of NAS-Bench-201 with several proposals in flight; see "
        "[scale.md](scale.md).",
        scale.section,
        ("scale",),
    ),
    Claim(
        "How much faster are two workers than one?",
        "Children from scratch on digits, one thread each, the same children in both searches.",
        two_workers,
        ("ray_workers",),
    ),
    Claim(
        "What does a run lose when something breaks?",
        "Small searches in processes of their own, some in a notebook under papermill, are hit at random moments and "
        "continued by the same call, until they end; their journals are compared with those of uninterrupted searches, "
        "bit for bit. A hundred such faults are part of every test run.",
        faults,
        ("faults",),
    ),
    Claim(
        "Does a search of four days and many trials stay small?",
        "Evolution on a computed table of rewards under papermill, with all records, checkpoints and curves of a real "
        "search, in memory instead of on a disk; then what a controller costs that knows so many trials.",
        long_run,
        ("long_run",),
    ),
    Claim(
        "How fast is it, and does memory grow?",
        "Children of a search at the sizes that the module texts of the benchmarks state. The machine's own rate "
        "is that of a product of two matrices, measured between the steps.",
        speeds,
        (
            "import_time",
            "tree_speed",
            "step_time",
            "roofline",
            "language_step",
            "memory",
            "input_pipeline",
            "image_folder",
        ),
    ),
)
