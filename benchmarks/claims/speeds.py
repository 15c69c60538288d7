"""Times and memory."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.layout import Claim, Result, table

_SPEEDS = (
    ("import_time", "`import alphaxenas`", "{seconds:.4f} s; limit {limit_seconds} s"),
    ("tree_speed", "simulations per second, tree alone", "{simulations_per_second:,}"),
    ("step_time", "training step of a random child, median", "{step_ms_median:.0f} ms"),
    ("step_time", "its share of the machine's own rate", "{share_of_machine_median:.0%}"),
    ("step_time", "training step of the published cell", "{known_step_ms:.0f} ms ({cell})"),
    ("step_time", "its share of the machine's own rate", "{known_share_of_machine:.0%}"),
    ("step_time", "tracing of a child, share of an epoch of 13,500 images", "{first_step_share_median:.1%}"),
    (
        "language_step",
        "step of a recurrent cell against Keras's LSTM with the same softmax in the same precision, slowest cell",
        "{told[step]}",
    ),
    ("language_step", "its graph is built, slowest cell", "{told[graph]}"),
    ("language_step", "share of the softmax in a step in float32", "{softmax_share:.0%}"),
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

_PEER = (
    (
        "step_time",
        "speed of a random child's step against PyTorch {pytorch} over the same layers, median",
        "{pytorch_ratio_median:.2f} times",
    ),
    ("step_time", "speed of the published cell's step against it", "{known_pytorch_ratio:.2f} times ({cell})"),
    (
        "step_time",
        "the same against PyTorch where 1x1 convolutions read a concatenation (random children; the published cell)",
        "{pytorch_concatenating_ratio_median:.2f} and {known_pytorch_concatenating_ratio:.2f} times",
    ),
)
"""Where PyTorch was there."""


def speeds(results: Mapping[str, Result]) -> str:
    """Times and memory, one row each."""
    found = {key: result["figures"] for key, result in results.items()}
    known = (*_SPEEDS, *_PEER) if "pytorch" in found.get("step_time", {}) else _SPEEDS
    rows = [[text.format_map(found[key]) for text in texts] for key, *texts in known if key in found]
    return table(["what", "measured"], rows)


def process_settings(results: Mapping[str, Result]) -> str:
    """What threads and memory allocators change, a row each, and what subnormal numbers cost."""
    [figures] = [result["figures"] for result in results.values()]
    names = {"frozen_float32": "images a second, float32", "frozen_bfloat16": "bfloat16"}
    rows = [
        [setting, *(f"{ratios[step]:.2f} times" for step in names)] for setting, ratios in figures["settings"].items()
    ]
    subnormal = f"A convolution of subnormal numbers takes {figures['subnormal_ratio']:.2f} times as long as usual."
    return "\n\n".join([table(["setting", *names.values()], rows), subnormal])


CLAIMS = (
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
    Claim(
        "Do threads or a memory allocator make training faster?",
        "Training steps of `airbench93` on two cores, against the process as it is (two threads, the allocator of "
        "glibc). TensorFlow sets subnormal numbers to zero in its threads, so they need no setting either.",
        process_settings,
        ("process_settings",),
    ),
)
